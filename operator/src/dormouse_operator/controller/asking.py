"""What is asked of the store for one workflow, and when again after it failed?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dormouse.replica.layout import Layout
from dormouse.replica.store import StoreError
from dormouse_operator.api import DurableWorkflow, ObjectStore
from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.memory import Memory
from dormouse_operator.controller.resources import Document
from dormouse_operator.controller.store_lanes import StoreLanes
from dormouse_operator.plan import CurrentUnread, Observed, ReadCurrent, ReleaseData
from dormouse_operator.store.current import read_current
from dormouse_operator.store.release import Leaving, NotOurs, release
from dormouse_operator.store.trouble import told

_READING_SECONDS = 10.0
_READING_FOR_STATUS_SECONDS = 3.0
"""That a pod is ready is not to wait for long."""
_RELEASING_SECONDS = 30.0
_REMOVING_SECONDS = 10.0
"""Then others have their turn, and the removal goes on afterwards."""


@dataclass(frozen=True)
class Seen:
    """Everything that a step starts from."""

    document: Document
    workflow: DurableWorkflow
    store: ObjectStore | None
    credentials: Credentials | None
    observed: Observed
    memory: Memory


@dataclass(frozen=True)
class _Came:
    """Of a question. The same trouble in other words is no news: it would be asked again at once."""

    is_news: bool
    has_failed: bool


class StoreAsker:
    """Asks in the store's lane. After a failure it keeps to the plan's pause, whoever woke the step before that."""

    def __init__(self, lanes: StoreLanes) -> None:
        self._lanes = lanes

    async def ask(self, seen: Seen, action: ReadCurrent | ReleaseData, pause_seconds: float) -> bool:
        """Whether there is something new to plan with; what came of it is in the memory."""
        store, credentials, memory = seen.store, seen.credentials, seen.memory
        if store is None or credentials is None or credentials.secret is None:
            return False
        clock = asyncio.get_running_loop().time
        if self.pauses(memory):
            return False
        memory.ask_again_at = 0.0
        if isinstance(action, ReadCurrent):
            seconds = _READING_FOR_STATUS_SECONDS if action.is_for_status else _READING_SECONDS
            came = await self._read_current(seen, store, credentials, seconds)
        else:
            came = await self._release(seen, store, credentials, action)
        if came.has_failed:
            memory.ask_again_at = clock() + pause_seconds
        return came.is_news

    def pauses(self, memory: Memory) -> bool:
        """Whether nothing is asked now, since the store has just failed."""
        return asyncio.get_running_loop().time() < memory.ask_again_at

    async def _read_current(self, seen: Seen, store: ObjectStore, credentials: Credentials, seconds: float) -> _Came:
        before = seen.observed.current
        error = before.error if isinstance(before, CurrentUnread) else ""
        try:
            async with self._lanes.turn(store, "read", seconds) as lane:
                current = await read_current(lane.open(store, credentials), _layout(seen.workflow, store))
        except (StoreError, OSError) as failed:
            unread = CurrentUnread(told("CURRENT cannot be read from", store, failed, before=error))
            seen.memory.was_read(seen.observed.pods, unread)
            return _Came(is_news=not error, has_failed=True)
        seen.memory.was_read(seen.observed.pods, current)
        return _Came(is_news=current != before, has_failed=False)

    async def _release(self, seen: Seen, store: ObjectStore, credentials: Credentials, action: ReleaseData) -> _Came:
        memory = seen.memory
        leaving = Leaving(seen.workflow.metadata.uid, action.policy, action.epoch)
        try:
            async with self._lanes.turn(store, "release", _RELEASING_SECONDS) as lane:
                opened = lane.open(store, credentials)
                is_done = await release(opened, _layout(seen.workflow, store), leaving, _REMOVING_SECONDS)
        except NotOurs as failed:
            memory.was_read(seen.observed.pods, CurrentUnread(str(failed)))
            return _Came(is_news=False, has_failed=True)
        except (StoreError, OSError) as failed:
            error = memory.release_error
            memory.release_error = told("the data cannot be released in", store, failed, before=error)
            return _Came(is_news=not error, has_failed=True)
        memory.release_error = ""
        if is_done:
            memory.was_read(seen.observed.pods, CurrentUnread())
        return _Came(is_news=True, has_failed=False)


def _layout(workflow: DurableWorkflow, store: ObjectStore) -> Layout:
    return Layout.of(store.spec.prefix, workflow.metadata.namespace, workflow.metadata.name)
