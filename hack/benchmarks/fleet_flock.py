"""How is a fleet of DurableWorkflows made, changed and watched, as its users and its keepers would?"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fleet_ground import CLIENT, STORE_NAME, Document, Ground
from fleet_programs import AuditLog, Program, Written, say
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from dormouse.replica.current import Current, LineageEntry, State, encode
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3, Location
from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.resources import WORKFLOWS, Key

T = TypeVar("T")
_AT_ONCE = 16
_QUIET_SECONDS = 6.0
_LOOK_SECONDS = 0.5
_SAY_SECONDS = 15.0
_MOST_SECONDS = 2400.0


class NotSteady(Exception):
    """The fleet did not come to rest; says what it is short of."""


@dataclass
class Flock:
    """The DurableWorkflows of some tenants, and the audit log of who looks after them."""

    api: ApiServer
    ground: Ground
    audit: AuditLog
    keys: list[Key] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    _said_at: float = field(default_factory=time.monotonic)

    async def create(self, keys: Iterable[Key], story: str = "runs") -> None:
        """Apply them; the keeper of each has claimed by the time that its pod runs."""
        keys = list(keys)
        self.keys += keys
        store = _store(self.ground)

        async def create(key: Key) -> None:
            made = await self.api.create(WORKFLOWS, workflow(key, story))
            await store.put(Layout.of("", *key).current, encode(_claimed(key, made["metadata"]["uid"])), None)

        await _each(create, keys)

    def news(self) -> list[Written]:
        """What was written since the last call."""
        found = self.audit.news()
        self.written += found
        return found

    async def quiet(self) -> float:
        """Until nothing was written for a while; for how long that was when it was noticed."""
        last = time.monotonic()
        while (passed := time.monotonic() - last) < _QUIET_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            if self.news():
                last = time.monotonic()
                self._say_now_and_then(last)
        return passed

    def _say_now_and_then(self, now: float) -> None:
        if now - self._said_at > _SAY_SECONDS:
            self._said_at = now
            pods = self.writes()["create", "pods"]
            say(f"{len(self.written):,} writes, {pods:,} of them pods")

    async def steady(self, known_as: Callable[[Document], bool], worker: Program) -> None:
        """Until nothing is written any more and every status says so. Raises NotSteady."""
        deadline = time.monotonic() + _MOST_SECONDS
        while True:
            await self.quiet()
            listed, _ = await self.api.list(WORKFLOWS, None)
            missing = [each for each in listed if not known_as(each)]
            if not missing and len(listed) == len(self.keys):
                return
            say(f"{len(listed) - len(missing):,} of {len(self.keys):,} are there")
            if not worker.is_alive():
                raise NotSteady(f"who looks after them has ended: {worker.last_words()}")
            if time.monotonic() > deadline:
                raise NotSteady(f"{len(missing)} of {len(listed)} are not there, the first says {missing[:1]}")

    def writes(self) -> Counter[tuple[str, str]]:
        """By verb and resource, since the beginning."""
        return Counter((each.verb, each.resource) for each in self.written)


def is_settled(document: Document) -> bool:
    """Whether it runs, and its status has all that there is to know.

    A pod whose creation was never answered costs an epoch, and only of the first one CURRENT was written here.
    """
    status = document.get("status") or {}
    return status.get("phase") == "Running" and (bool(status.get("claimedAt")) or status.get("epoch", 1) > 1)


async def client_of(ground: Ground) -> ApiServer:
    """As the bench's own user, whose requests nobody counts."""
    configuration = Configuration()
    await load_kube_config(str(ground.plane.kubeconfig(CLIENT)), client_configuration=configuration)  # type: ignore[no-untyped-call] # not annotated there
    return ApiServer(configuration, timeout_seconds=120)


def workflow(key: Key, story: str) -> Document:
    """What a user applies; the story is what kwok does with its pods."""
    namespace, name = key
    return {
        "apiVersion": WORKFLOWS.api_version,
        "kind": WORKFLOWS.kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "image": "agents:1",
            "entrypoint": "agents",
            "start": {"workflow": "main", "input": {"customer": name}},
            "storage": {"storeRef": {"name": STORE_NAME}},
            "failover": {"nodeLostSeconds": 3600},  # kwok may be late with its Leases: a busy machine, no lost node
            "template": {"metadata": {"labels": {"fleet.bench/story": story}}},
        },
    }


def keys_of(tenants: tuple[str, ...], numbers: range) -> list[Key]:
    """Dealt out to the tenants in turn."""
    return [(tenants[number % len(tenants)], f"agent-{number:05}") for number in numbers]


async def change(flock: Flock, key: Key, number: int) -> float:
    """Change its spec in a way that takes one status write; the seconds until the status knows it."""
    patch = {"spec": {"ttlSecondsAfterFinished": 86400 + number}}
    began = time.monotonic()
    generation = (await flock.api.merge(WORKFLOWS, *key, patch))["metadata"]["generation"]
    while True:
        found = await flock.api.get(WORKFLOWS, *key)
        if (found.get("status") or {}).get("observedGeneration") == generation:
            return time.monotonic() - began
        if time.monotonic() - began > _MOST_SECONDS:
            raise NotSteady(f"{'/'.join(key)} was changed, and its status does not know it")
        await asyncio.sleep(0.005)


def _claimed(key: Key, uid: str) -> Current:
    layout, owner = Layout.of("", *key), "0" * 36
    entry = LineageEntry(1, layout.epoch(1, owner), claimed_at="2026-03-01T12:00:00+00:00", replicated=True)
    return Current(1, "claimed", uid, uid, 1, owner, State.ACTIVE, lineage=(entry,))


def _store(ground: Ground) -> S3:
    return S3(
        Location(
            bucket=ground.store.bucket,
            endpoint=ground.store.endpoint,
            access_key_id=ground.store.access_key,
            secret_access_key=ground.store.secret_key,
        )
    )


async def _each(do: Callable[[T], Awaitable[Any]], items: Iterable[T]) -> None:
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
