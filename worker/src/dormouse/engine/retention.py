"""How long do closed executions stay in the file, and who takes them away? In portions, each in a turn of its own.

No portion writes much, so that what executions do meanwhile waits for none, and a barrier covers it soon.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dormouse.engine.clock import SECOND, Clock
from dormouse.engine.database import Database
from dormouse.engine.removal import Removal
from dormouse.errors import EngineStopped

if TYPE_CHECKING:
    from dormouse.engine.turns import Turns

_PAUSE_SECONDS = 1
"""Between two looks: many that close together leave together."""
_log = logging.getLogger("dormouse.retention")


@dataclass(frozen=True)
class Retention:
    """Which closed executions are deleted.

    Attributes:
        count: at most so many are kept, those that closed last.
        seconds: none is kept for longer, and nothing of the earlier runs of one that continues as new.
        never: ids of executions that stay.
    """

    count: int | None = None
    seconds: float | None = None
    never: frozenset[str] = field(default=frozenset())

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 0:
            raise ValueError(f"a retention's count must be 0 or more, not {self.count}")
        if self.seconds is not None and not self.seconds >= 0:
            raise ValueError(f"a retention's seconds must be 0 or more, not {self.seconds:g}")
        if self.count is None and self.seconds is None:
            raise ValueError("a retention has a count, or seconds, or both; without any leave it out")


class Keeping:
    """Deletes what a retention keeps no longer, as long as the engine lives."""

    def __init__(self, turns: Turns, database: Database, clock: Clock, retention: Retention) -> None:
        self._turns = turns
        self._database = database
        self._clock = clock
        microseconds = None if retention.seconds is None else round(retention.seconds * SECOND)
        self._removal = Removal(retention.count, microseconds, retention.never)

    async def run(self) -> None:
        """Until it is cancelled, or the engine stops."""
        try:
            await self._turns.recovered.wait()
            while True:
                self._turns.closed.clear()
                while self._database.read(lambda reader: self._removal.has_work(reader, self._clock.now())):
                    await self._turns.ask(self._portion)
                await self._rest()
        except EngineStopped:
            _log.debug("the engine stops; the next one goes on from here")
        except sqlite3.Error:
            _log.exception("nothing more is deleted in this life")

    def _portion(self, at: int, answer: asyncio.Future[None]) -> None:
        batch = self._turns.journal.batch
        batch.also.append(lambda writer: self._removal.take_a_portion(writer, at))
        batch.answers.append((answer, None))

    async def _rest(self) -> None:
        """Until something closes, or is due; but for a moment at least."""
        paused = asyncio.Event()
        self._clock.call_at(self._clock.now() + _PAUSE_SECONDS * SECOND, paused.set)
        await paused.wait()
        due = self._database.read(self._removal.next_due)
        ringing = None if due is None else self._clock.call_at(due, self._turns.closed.set)
        try:
            await self._turns.closed.wait()
        finally:
            if ringing is not None:
                ringing.cancel()
