"""Do thousands of workflows that nobody can run keep one that can waiting? A real API server; kwok is the kubelets."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "hack"))  # a program of its own, not part of the distribution

from fleet_flock import Flock, client_of, is_settled, workflow
from fleet_ground import OPERATOR, Ground, ground
from fleet_programs import AuditLog, Program, operator_command, running

from dormouse_operator.controller.resources import STORES, WORKFLOWS, Document, Key, key_of
from dormouse_operator.dev.ports import free_ports

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]

REASONS = ("StoreNotFound", "SecretNotFound", "InvalidTemplate", "EntrypointFailed")
MOST_WRITES = {"StoreNotFound": 2, "SecretNotFound": 2, "InvalidTemplate": 4, "EntrypointFailed": 8}
"""For one workflow, with its pod and its events."""
FIRST, VALID = ("noisy", "agent-00000"), ("quiet", "valid")


def reason_of(key: Key) -> str:
    return REASONS[int(key[1].rpartition("-")[2]) % len(REASONS)]


def invalid(key: Key) -> Document:
    """In one of the ways that no definition can see."""
    made, reason = workflow(key, "cannot-import"), reason_of(key)
    if reason == "StoreNotFound":
        made["spec"]["storage"]["storeRef"]["name"] = "nowhere"
    elif reason == "SecretNotFound":
        made["spec"]["storage"]["storeRef"]["name"] = "without-keys"
    elif reason == "InvalidTemplate":
        made["spec"]["template"]["spec"] = {"containers": [{"name": "runtime", "env": [{"name": "DORMOUSE_EPOCH"}]}]}
    return made


async def apply(flock: Flock, keys: list[Key]) -> None:
    at_once = asyncio.Semaphore(16)

    async def create(key: Key) -> None:
        async with at_once:
            await flock.api.create(WORKFLOWS, invalid(key))

    await asyncio.gather(*map(create, keys))


def stalled(document: Document) -> str:
    conditions = (document.get("status") or {}).get("conditions", ())
    return next((each["reason"] for each in conditions if (each["type"], each["status"]) == ("Stalled", "True")), "")


async def until_stalled(flock: Flock, operator: Program) -> None:
    """And nothing is written any more."""
    while True:
        await flock.quiet()
        listed, _ = await flock.api.list(WORKFLOWS, "noisy")
        if all(stalled(each) == reason_of(key_of(each)) for each in listed):
            return
        assert operator.is_alive(), operator.last_words()


async def is_served(flock: Flock, key: Key) -> None:
    await flock.create([key])
    while not is_settled(await flock.api.get(WORKFLOWS, *key)):
        await asyncio.sleep(0.2)


async def figures(port: int) -> dict[str, float]:
    def scrape() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return str(answer.read(), "utf-8")

    lines = (await asyncio.to_thread(scrape)).splitlines()
    return {name: float(value) for name, _, value in (each.rpartition(" ") for each in lines if each[:1] != "#")}


def steps(found: dict[str, float]) -> float:
    """Looks at workflows."""
    name = "dormouse_operator_reconciles_total"
    return sum(value for key, value in found.items() if key.startswith(name) and 'kind="workflow"' in key)


def writes_by_workflow(flock: Flock) -> Counter[Key]:
    length = len(FIRST[1])
    return Counter((each.namespace, each.name[:length]) for each in flock.written if each.name.startswith("agent-"))


@pytest.mark.parametrize("count", [400, 10_000])
def test_they_are_told_what_is_wrong_once_and_one_that_can_run_runs_meanwhile(count: int) -> None:
    async def story(made: Ground) -> None:
        keys = [(FIRST[0], f"agent-{number:05}") for number in range(count)]
        (port,) = free_ports(1)
        command = operator_command(f"--metrics-port={port}")
        async with await client_of(made) as api:
            flock = Flock(api, made, AuditLog(made.plane.audit_log))
            await api.create(STORES, without_keys(await api.get(STORES, FIRST[0], "local")))
            with running(command, made.plane.kubeconfig(OPERATOR), made.folder / "operator.log") as operator:
                await flock.quiet()
                await asyncio.gather(apply(flock, keys), is_served(flock, VALID))
                await until_stalled(flock, operator)
                written = writes_by_workflow(flock)
                too_many = {key: n for key, n in written.items() if n > MOST_WRITES[reason_of(key)]}
                assert too_many == {}
                assert set(written) == set(keys)
                before = await figures(port)
                await asyncio.sleep(15)
                after = await figures(port)
                used = f"{operator.cpu_seconds():.1f} s of CPU, at most {operator.peak_rss_mib():.0f} MiB"
                looks = steps(after) - steps(before)
                print(f"{count}: {used}; {sum(written.values())} writes, {steps(after):.0f} steps, {looks:.0f} in 15 s")
                assert flock.news() == []
                assert looks < count / 20, "nobody changed anything"
                assert after["dormouse_operator_queue_depth"] == 0
                assert operator.peak_rss_mib() < 512
                await is_served(flock, ("quiet", "another"))
                told = operator.log.read_text()
                assert "Traceback" not in told
                assert "mistake" not in told

    with ground((FIRST[0], VALID[0]), count // len(REASONS) + 2) as made:
        asyncio.run(story(made))


def without_keys(store: Document) -> Document:
    spec: dict[str, Any] = {**store["spec"], "credentials": {"secretRef": {"name": "nobody-made-it"}}}
    metadata = {"namespace": store["metadata"]["namespace"], "name": "without-keys"}
    return {"apiVersion": store["apiVersion"], "kind": store["kind"], "metadata": metadata, "spec": spec}
