"""How does a test run an operator's steps one request at a time?

Real: plan, reconciler, caches, status writer, actor, memories.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import convert

from dormouse_operator.controller.api_server import ApiError, NotFound, Version
from dormouse_operator.controller.cordons import CordonWatch
from dormouse_operator.controller.credentials import CredentialReader
from dormouse_operator.controller.events import EventTeller
from dormouse_operator.controller.holding import StoreHolder
from dormouse_operator.controller.life_traces import LifeTraces
from dormouse_operator.controller.nodes import NodeWatch
from dormouse_operator.controller.reconciling import Reconciler
from dormouse_operator.controller.relisting import WATCHED
from dormouse_operator.controller.reports_inbox import Inbox
from dormouse_operator.controller.resources import Document, Resource, key_of
from dormouse_operator.controller.slots import Slots
from dormouse_operator.controller.store_lanes import StoreLanes
from dormouse_operator.controller.store_status import StoreStatuses
from dormouse_operator.controller.tally import Tally
from dormouse_operator.controller.turns import RollTurns
from dormouse_operator.controller.waiting_times import WaitingTimes
from dormouse_operator.controller.world import World
from dormouse_operator.plan import Settings
from unit.operator_controller.interleaved_promises import Promises
from unit.operator_controller.interleaved_server import AskedApi, AskedStore, Line, Outcome, Told
from unit.operator_controller.interleaved_surroundings import KEY, Surroundings

SETTINGS = Settings(on_cluster=True)


class AskedLanes(StoreLanes):
    """Every turn comes at once, and opens the test's bucket."""

    def __init__(self, store: AskedStore) -> None:
        super().__init__(Slots(8), Tally())
        self._store = store

    @asynccontextmanager
    async def turn(self, *_: Any) -> AsyncIterator[Any]:
        yield self

    def open(self, *_: Any) -> Any:
        return self._store


class LostNodes(NodeWatch):
    """Those that the test says."""

    def __init__(self, lost: set[str]) -> None:
        self._lost = lost

    def lost(self, seconds: float) -> frozenset[str]:  # noqa: ARG002 - as there
        return frozenset(self._lost)


class OneOperator:
    """A process: what it knows goes with it."""

    def __init__(self, name: str, around: Surroundings, promises: Promises) -> None:
        self.line = Line(name)
        self._around = around
        self._promises = promises
        self.events: list[Told] = []
        self.listed: dict[Resource, tuple[list[Document], int]] = {}
        self.step: asyncio.Task[float | None] | None = None
        self.pause: float | None = None
        self.failed = False
        self.start()
        around.objects.watches.append(self.events.append)

    def start(self) -> None:
        """A new process, which lists everything first."""
        around, line = self._around, self.line
        api = AskedApi(around.objects, line, self._promises).as_api()
        self.world = World(lambda _: None)
        self.events.clear()
        self.listed.clear()
        credentials = CredentialReader(api, Path())
        events = EventTeller(api, line.name, Tally())
        statuses = StoreStatuses(api, self.world)
        holder = StoreHolder(api, self.world, credentials, statuses, events)
        self._reconciler = Reconciler(
            api,
            self.world,
            credentials,
            events,
            LostNodes(around.lost),
            CordonWatch(api, self.world),
            Inbox(),
            holder,
            AskedLanes(AskedStore(around.bucket, line, self._promises)),
            WaitingTimes(Tally()),
            RollTurns(0, lambda _: None),
            LifeTraces(None),
            SETTINGS,
            lambda: around.now,
        )
        self.list_all()

    # What it hears.

    def list_all(self) -> None:
        """As a process that starts."""
        for resource in WATCHED:
            self.listed[resource] = self._around.list_now(resource)
            self.take_list(resource, is_whole=True)

    def take_list(self, resource: Resource, *, is_whole: bool = False) -> None:
        """What was listed, maybe long ago. As for the relister, versions: what is missed is read as it is now."""
        if resource in self.listed:
            documents, version = self.listed.pop(resource)
            for each in documents:
                if is_whole:
                    self.world.put(resource, each)
                elif self.world.lacks(resource, convert(each["metadata"], Version)):
                    with suppress(NotFound):
                        self.world.put(resource, self._around.objects.get(resource, *key_of(each)))
            present = [each["metadata"]["uid"] for each in documents]
            self.world.compare(resource, present, version, self.world.keys(resource, None))

    def see(self, count: int = 1000) -> None:
        """The next events of the watches."""
        for _ in range(min(count, len(self.events))):
            told = self.events.pop(0)
            (self.world.drop if told.is_deleted else self.world.put)(told.resource, told.document)

    def listens(self) -> None:
        """Everything there is to hear, once the step that is under way has ended."""
        self.go_on_to_the_end()
        self.see()
        self.list_all()

    # What it does.

    def begin(self) -> None:
        """A step, unless one is under way."""
        if self.step is None:
            self._promises.begins(self.line)
            self.step = self._around.loop.create_task(self._reconciler.step(KEY))
            self._around.loop.settle()
            self.finish()

    def go_on(self, outcome: Outcome = Outcome.DONE) -> None:
        """The request that waits is settled."""
        if self.line.waiting:
            self.line.settle(outcome)
            self._around.loop.settle()
            self.finish()

    def go_on_until(self, what: str) -> None:
        """A step, up to a request that begins like this: it waits."""
        self.begin()
        while self.step is not None and not self.line.waiting[0].what.startswith(what):
            self.go_on()
        assert self.step is not None, f"the step ended and did not {what}"

    def finish(self) -> None:
        """Look how the step ended, if it has. Any error but an ApiError is a mistake."""
        if self.step is None or not self.step.done():
            assert self.step is None or self.line.waiting, "the step waits for nothing"
            return
        step, self.step = self.step, None
        self.failed = False
        try:
            self.pause = step.result()
        except ApiError:
            self.pause, self.failed = 0.5, True

    def whole_step(self) -> None:
        """One that nothing disturbs."""
        self.begin()
        self.go_on_to_the_end()

    def go_on_to_the_end(self) -> None:
        """Of the step that is under way."""
        for _ in range(200):
            if self.step is None:
                return
            self.go_on()
        raise AssertionError("one step asks without end")

    def die(self) -> None:
        """What it had sent may still arrive."""
        if self.step is not None:
            self.step.cancel()
            self._around.loop.settle()
            self.step = None
        self.start()
