"""How does one workflow get from what is observed to what is planned? Level-triggered, one step after the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.dev.cluster import Cluster
from dormouse_operator.dev.manifests import Key
from dormouse_operator.plan import (
    Action,
    ApplyConfigMap,
    CreatePod,
    Current,
    CurrentUnread,
    DeletePod,
    EmitEvent,
    Observed,
    ReadCurrent,
    plan,
)

_LONGEST_SLEEP_SECONDS = 30.0


class Pods(Protocol):
    """What runs the pods."""

    def pods_of(self, owner_uid: str) -> tuple[Mapping[str, Any], ...]:
        """The pods, with status, that this object owns."""

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Run a new pod, unless one of this name exists."""

    def delete(self, namespace: str, name: str, uid: str, grace_seconds: float | None = None) -> None:
        """End the pod of this UID."""


class Controller:
    """Plans for one workflow whenever it is woken, and does what the plan says."""

    def __init__(
        self,
        key: Key,
        cluster: Cluster,
        pods: Pods,
        *,
        read_current: Callable[[DurableWorkflow], Awaitable[Current]],
        save: Callable[[], None],
        told: Callable[[Key, EmitEvent], None],
    ) -> None:
        """`save` makes the status last; it is called before the actions are done."""
        self.key = key
        self._cluster = cluster
        self._pods = pods
        self._read_current = read_current
        self._save = save
        self._told = told
        self._current: Current = CurrentUnread()
        self._seen_changes = 0
        self._woken = asyncio.Event()

    def pods_changed(self) -> None:
        """What CURRENT said before says nothing now."""
        self._seen_changes += 1
        self._current = CurrentUnread()
        self._woken.set()

    def wake(self) -> None:
        """Something else that a plan rests on may have changed."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            pause = await self.step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def step(self) -> float:
        """Observe, plan, save, act; returns after how many seconds to come back unless woken."""
        workflow = self._cluster.workflow(self.key)
        planned = plan(workflow, self._observe(workflow), datetime.now(UTC))
        self._cluster.set_status(self.key, planned.status)
        self._save()
        for action in planned.actions:
            if isinstance(action, ReadCurrent):
                if await self._read(workflow):
                    return 0.0
            else:
                self._do(action)
        pause = planned.requeue_after_seconds
        return _LONGEST_SLEEP_SECONDS if pause is None else pause

    def _observe(self, workflow: DurableWorkflow) -> Observed:
        store = self._cluster.store((self.key[0], workflow.spec.storage.store_ref.name))
        secret = None
        if store is not None:
            secret = self._cluster.secret((self.key[0], store.spec.credentials.secret_ref.name))
        return Observed(
            pods=self._pods.pods_of(workflow.metadata.uid),
            store=store,
            secret_keys=None if secret is None else frozenset(secret),
            current=self._current,
        )

    async def _read(self, workflow: DurableWorkflow) -> bool:
        """Whether there is something new to plan with."""
        before = self._seen_changes
        current = await self._read_current(workflow)
        if before != self._seen_changes:
            return True  # a pod changed meanwhile: what was read may be old already
        is_first_failure = isinstance(self._current, CurrentUnread) and not self._current.error
        self._current = current
        return is_first_failure or not isinstance(current, CurrentUnread)

    def _do(self, action: Action) -> None:
        namespace = self.key[0]
        if isinstance(action, CreatePod):
            self._pods.create(action.manifest)
        elif isinstance(action, DeletePod):
            self._pods.delete(namespace, action.name, action.uid, action.grace_seconds)
        elif isinstance(action, ApplyConfigMap):
            self._cluster.set_config_map(action.manifest)
        elif isinstance(action, EmitEvent):
            self._told(self.key, action)
