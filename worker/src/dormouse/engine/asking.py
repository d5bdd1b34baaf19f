"""Who has asked for something that a turn decides, and when are they answered? Once what they asked for counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dormouse.engine.journal import Journal
from dormouse.errors import DormouseError, EngineStopped

Decide = Callable[[int, asyncio.Future[Any]], object]
"""Decides at a moment what becomes of a request, and puts its answer into the batch, or keeps it for later."""


class Requests:
    """The requests that wait for an answer.

    Args:
        journal: whose batch takes the answers along.
        arrive: has something done in the next turn.
    """

    def __init__(self, journal: Journal, arrive: Callable[[Callable[[int], None]], None]) -> None:
        self._journal = journal
        self._arrive = arrive
        self._unanswered: set[asyncio.Future[Any]] = set()
        self._early: list[Callable[[int], None]] = []

    async def ask(self, decide: Decide) -> Any:
        """Have something decided in a turn, and give the answer once it counts, with all that came before it."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        self._arrive(lambda at: self._decide(decide, at, answer))
        return await answer

    def ask_again(self, decide: Decide, answer: asyncio.Future[Any]) -> None:
        """Have it decided once the code has heard of what it was told already."""
        self._early.append(lambda at: self._decide(decide, at, answer))

    def code_has_heard(self) -> None:
        """Of all that it was told: what was asked too early is decided now."""
        early, self._early = self._early, []
        for one in early:
            self._arrive(one)

    def refuse(self, message: str) -> None:
        """Nobody decides any more."""
        for answer in list(self._unanswered):
            if not answer.done():
                answer.set_exception(EngineStopped(message))

    def _decide(self, decide: Decide, at: int, answer: asyncio.Future[Any]) -> None:
        try:
            decide(at, answer)
        except DormouseError as refusal:
            self._journal.batch.answers.append((answer, refusal))
