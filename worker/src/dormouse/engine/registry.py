"""Which executions are open, in memory or only in the file, and who waits for them?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain

import msgspec

from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution
from dormouse.engine.mismatch import Blocked


class Running(msgspec.Struct, eq=False):
    """An open execution in memory.

    Attributes:
        started: done once its start counts.
        over: whether it has come to an end, or is blocked, and that counts.
    """

    execution: Execution
    started: asyncio.Future[None]
    over: bool = False


class Dormant(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An open execution that is only in the file. Small: there may be very many.

    Attributes:
        workflow: its name.
        position: of the last event of its log.
        due: when its earliest timer rings.
    """

    key: int
    workflow: str
    position: int
    due: int | None


class Registry:
    """The open executions by id and by idempotency key; those that are only in the file by their key."""

    def __init__(self) -> None:
        self._by_id: dict[str, Running] = {}
        self._by_number: dict[int, Running] = {}
        self._by_key: dict[str, Running] = {}
        self._dormant: dict[int, Dormant] = {}
        self.paused: dict[int, Dormant] = {}
        """Those that nobody may wake before they are resumed."""
        self._ends: dict[int, asyncio.Future[None]] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __iter__(self) -> Iterator[Running]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._by_id)

    @property
    def dormant(self) -> dict[int, Dormant]:
        return self._dormant

    def out_of_memory(self) -> Iterator[Dormant]:
        """The open ones that are only in the file."""
        return chain(self._dormant.values(), self.paused.values())

    def find(self, execution_id: str) -> Running | None:
        return self._by_id.get(execution_id)

    def find_by_number(self, key: int) -> Running | None:
        return self._by_number.get(key)

    def find_by_key(self, idempotency_key: str) -> Running | None:
        return self._by_key.get(idempotency_key)

    def add(self, execution: Execution) -> Running:
        running = Running(execution, asyncio.get_running_loop().create_future())
        self._by_id[execution.id] = running
        self._by_number[execution.key] = running
        if execution.origin.idempotency_key is not None:
            self._by_key[execution.origin.idempotency_key] = running
        self._empty.clear()
        return running

    def add_dormant(self, dormant: Dormant) -> None:
        self._dormant[dormant.key] = dormant
        self._empty.clear()

    def add_paused(self, paused: Dormant) -> None:
        self.paused[paused.key] = paused
        self._empty.clear()

    def let_go(self, execution: Execution, dormant: Dormant) -> None:
        """It leaves memory."""
        self._remove(execution)
        self._dormant[dormant.key] = dormant

    async def end_of(self, key: int) -> None:
        """Wait until an execution's end counts, or until it is blocked."""
        running = self._by_number.get(key)
        if running is None or not running.over:
            end = self._ends.setdefault(key, asyncio.get_running_loop().create_future())
            await asyncio.shield(end)

    def counts(self, execution: Execution) -> None:
        """Wake who waits for what this execution has come to."""
        running = self._by_id.get(execution.id)
        if running is None:
            return
        _wake(running.started)
        if execution.status != Status.OPEN:
            running.over = True
            if execution.key in self._ends:
                _wake(self._ends.pop(execution.key))
        if execution.status.closed:
            self._remove(execution)
            if self.is_empty:
                self._empty.set()

    def blocked(self, key: int) -> Blocked | None:
        """Why an execution is blocked."""
        running = self._by_number.get(key)
        return None if running is None else running.execution.blocked

    def wake_all(self) -> None:
        """Nothing more will happen."""
        for running in self._by_id.values():
            _wake(running.started)
        for end in self._ends.values():
            _wake(end)
        self._empty.set()

    @property
    def is_empty(self) -> bool:
        return not self._by_id and not self._dormant and not self.paused

    async def empty(self) -> None:
        await self._empty.wait()

    def _remove(self, execution: Execution) -> None:
        del self._by_id[execution.id]
        del self._by_number[execution.key]
        if execution.origin.idempotency_key is not None:
            del self._by_key[execution.origin.idempotency_key]


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
