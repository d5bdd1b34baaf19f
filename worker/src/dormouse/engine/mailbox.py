"""Which messages has one execution been sent, and who answers them? Nothing of it touches the outside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from dormouse.errors import DormouseError, ExecutionClosed


class Outcome(NamedTuple):
    """How an update ended: `UpdateCompleted` with its result, or `UpdateFailed` with its failure."""

    kind: str
    payload: bytes


class UpdateRun:
    """One update that was accepted, and who waits for its outcome."""

    def __init__(self, name: str, payload: bytes) -> None:
        self.name = name
        self.payload = payload
        self.outcome: Outcome | None = None
        self.waiting: list[asyncio.Future[Outcome]] = []


class Mailbox:
    """The messages of one execution.

    Attributes:
        signals: what each signal's idempotency key stood for: name and payload.
        updates: the updates by their idempotency key.
        deciders: who waits for the code to hear of a decision, by its digest.
    """

    def __init__(self) -> None:
        self.signals: dict[str, tuple[str, bytes]] = {}
        self.updates: dict[str, UpdateRun] = {}
        self.deciders: dict[str, list[asyncio.Future[None]]] = {}
        self.update_answers: dict[str, tuple[Callable[[Any], Any], Callable[[Any], object] | None]] = {}
        self.query_answers: dict[str, Callable[[], Any]] = {}
        self._queues: dict[str, asyncio.Queue[bytes]] = {}
        self._receiving: Counter[str] = Counter()

    def answer_query(self, name: str, function: Callable[[], Any]) -> None:
        self.query_answers[name] = function

    def answer_update(self, name: str, function: Callable[[Any], Any], check: Callable[[Any], object] | None) -> None:
        self.update_answers[name] = (function, check)

    def put(self, name: str, payload: bytes) -> None:
        self._queue(name).put_nowait(payload)

    async def take(self, name: str) -> bytes:
        self._receiving[name] += 1
        try:
            return await self._queue(name).get()
        finally:
            self._receiving[name] -= 1

    @property
    def receiving(self) -> list[str]:
        """The signals that the workflow waits for."""
        return sorted(name for name, count in self._receiving.items() if count)

    def left(self) -> list[tuple[str, bytes]]:
        """Take out the signals that nobody has received."""
        return [(name, queue.get_nowait()) for name, queue in self._queues.items() for _ in range(queue.qsize())]

    def forget_answers(self) -> None:
        """The code that gave them is gone."""
        self.update_answers.clear()
        self.query_answers.clear()
        self._queues.clear()
        self._receiving.clear()

    def close(self, why: str) -> None:
        """Nothing will be answered any more."""
        for update in self.updates.values():
            _refuse(update.waiting, f"{why}, so the update is not done")
        for waiting in self.deciders.values():
            _refuse(waiting, f"{why}, so nobody has heard of the decision")
        self.deciders.clear()
        self.updates = {key: update for key, update in self.updates.items() if update.outcome is not None}
        self.forget_answers()

    def _queue(self, name: str) -> asyncio.Queue[bytes]:
        return self._queues.setdefault(name, asyncio.Queue())


def _refuse(waiting: list[asyncio.Future[Any]], message: str) -> None:
    for one in waiting:
        if not one.done():
            one.set_exception(ExecutionClosed(message))
    waiting.clear()


def give(answer: asyncio.Future[Any], value: Any) -> None:
    """Answer somebody who may not wait any more."""
    if answer.done():
        return
    if isinstance(value, DormouseError):
        answer.set_exception(value)
    else:
        answer.set_result(value)
