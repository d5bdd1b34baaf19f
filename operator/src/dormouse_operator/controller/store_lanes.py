"""How is a store asked, so that one that hangs holds up nobody but its own workflows?

Each store has a lane of its own, and every turn in it ends in time. A step that waits there lends its slot to a step
that has something to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dormouse.replica.requests import Requests
from dormouse.replica.s3 import S3
from dormouse.replica.store import StoreUnknown
from dormouse_operator.api import ObjectStore
from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.resources import Key
from dormouse_operator.controller.slots import Slots
from dormouse_operator.controller.tally import Answer, Question, Tally
from dormouse_operator.store.location import open_store

TURNS_AT_ONCE = 8


class StoreLanes:
    """One lane for each ObjectStore that is asked."""

    def __init__(self, slots: Slots, tally: Tally) -> None:
        """Who asks has one of the slots."""
        self._slots = slots
        self._tally = tally
        self._lanes: dict[Key, Lane] = {}

    @asynccontextmanager
    async def turn(self, store: ObjectStore, question: Question, seconds: float) -> AsyncIterator[Lane]:
        """Until so many seconds are over, those before the turn comes included. Raises StoreUnknown then."""
        lane = self._lanes.setdefault((store.metadata.namespace, store.metadata.name), Lane(self._tally.store_requests))
        answer: Answer = "failed"
        async with self._slots.lent(store.metadata.namespace):
            try:
                async with asyncio.timeout(seconds), self._turn_of(lane):
                    yield lane
                answer = "answered"
            except TimeoutError as late:
                answer = "timeout"
                raise StoreUnknown(f"no answer within {seconds:g} s") from late
            finally:
                self._tally.turns[question, answer] += 1

    @asynccontextmanager
    async def _turn_of(self, lane: Lane) -> AsyncIterator[None]:
        if lane.turns.locked():
            self._tally.turns_delayed += 1
        self._tally.turns_waiting += 1
        try:
            await lane.turns.acquire()
        finally:
            self._tally.turns_waiting -= 1
        try:
            yield
        finally:
            lane.turns.release()

    def forget(self, store: Key) -> None:
        """There is no such store any more; whoever is in its lane comes to an end there."""
        self._lanes.pop(store, None)


class Lane:
    """Of one store, and its client."""

    def __init__(self, requests: Requests) -> None:
        """`requests` counts those of all stores."""
        self.requests = requests
        self.turns = asyncio.Semaphore(TURNS_AT_ONCE)
        self._opened: tuple[tuple[str, int, str], S3] | None = None

    def open(self, store: ObjectStore, credentials: Credentials) -> S3:
        """The same client as long as the store is what it is: to make one takes 7 ms. Raises StoreError."""
        version = (store.metadata.uid, store.metadata.generation, credentials.version)
        if self._opened is None or self._opened[0] != version:
            opened = open_store(store, credentials.secret or {}, credentials.ca_bundle, self.requests)
            self._opened = (version, opened)
        return self._opened[1]
