"""Which executions are open, and who waits for them?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution


@dataclass(slots=True)
class Running:
    """An open execution.

    Attributes:
        started: done once its start counts.
        ended: done once its end counts, or once it is blocked.
    """

    execution: Execution
    started: asyncio.Future[None]
    ended: asyncio.Future[None]


class Registry:
    """The open executions by id and by idempotency key."""

    def __init__(self) -> None:
        self._by_id: dict[str, Running] = {}
        self._by_number: dict[int, Running] = {}
        self._by_key: dict[str, Running] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __iter__(self) -> Iterator[Running]:
        return iter(self._by_id.values())

    def find(self, execution_id: str) -> Running | None:
        return self._by_id.get(execution_id)

    def find_by_number(self, key: int) -> Running | None:
        return self._by_number.get(key)

    def find_by_key(self, idempotency_key: str) -> Running | None:
        return self._by_key.get(idempotency_key)

    def add(self, execution: Execution) -> Running:
        loop = asyncio.get_running_loop()
        running = Running(execution, loop.create_future(), loop.create_future())
        self._by_id[execution.id] = running
        self._by_number[execution.key] = running
        if execution.origin.idempotency_key is not None:
            self._by_key[execution.origin.idempotency_key] = running
        self._empty.clear()
        return running

    def counts(self, execution: Execution) -> None:
        """Wake who waits for what this execution has come to."""
        running = self._by_id.get(execution.id)
        if running is None:
            return
        _wake(running.started)
        if execution.status != Status.OPEN:
            _wake(running.ended)
        if execution.status.closed:
            del self._by_id[execution.id]
            del self._by_number[execution.key]
            if execution.origin.idempotency_key is not None:
                del self._by_key[execution.origin.idempotency_key]
            if not self._by_id:
                self._empty.set()

    def wake_all(self) -> None:
        """Nothing more will happen."""
        for running in self._by_id.values():
            _wake(running.started)
            _wake(running.ended)
        self._empty.set()

    async def empty(self) -> None:
        await self._empty.wait()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
