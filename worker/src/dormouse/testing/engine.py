"""How does time pass in a test? An engine that jumps over all waiting, but only while the test waits too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from dormouse.engine.clock import SECOND, ManualClock
from dormouse.engine.definitions import Workflow
from dormouse.engine.engine import Engine
from dormouse.engine.journal import Event
from dormouse.engine.querying import Row
from dormouse.errors import DormouseError
from dormouse.testing.faults import CrashAfter, Faults

_ROUNDS_FOR_THE_TEST = 5
"""Its own tasks come before the clock."""
_PAUSE_SECONDS = 0.001
__tracebackhide__ = True


class Stuck(DormouseError):
    """A test waits for an execution that does not end."""


class VirtualEngine(Engine):
    """An engine on a virtual clock.

    While the test awaits a result, or `sleep`, the clock jumps to the next timer or retry whenever nothing runs. At
    all other times it stands still, so that a test can send messages before anything is due. Activities run in
    real time, and so do their time-outs.
    """

    def __init__(
        self,
        path: Path,
        workflows: ModuleType | Iterable[Workflow[..., Any]],
        *,
        clock: ManualClock,
        faults: Faults,
        crash: CrashAfter | None,
        most_jumps: int,
        alone: bool,
    ) -> None:
        super().__init__(path, workflows, clock=clock, durability=crash, around_attempts=faults.around)
        self.clock = clock
        self._crash = crash
        self._most_jumps = most_jumps
        self._alone = alone

    @property
    def crashed(self) -> bool:
        """Whether it died as it was told to."""
        return self._crash is not None and self._crash.crashed

    async def outcome(self, execution_id: str) -> tuple[Row, Event]:
        """As an engine's, while time passes.

        Raises:
            Stuck: when the clock has jumped all too often and it has not ended.
        """
        ended = asyncio.ensure_future(super().outcome(execution_id))
        try:
            for _ in range(self._most_jumps):
                if not await self._nothing_happens(unless=ended):
                    return await ended
                due = self.clock.next_due()
                if due is not None:
                    self.clock.jump_to(due)
                elif self._alone:
                    raise Stuck(f"{self._waits(execution_id)}, and this test sends nothing; use `durable.engine`")
                else:
                    await asyncio.wait({ended}, timeout=_PAUSE_SECONDS)
        finally:
            ended.cancel()
        by = f"by {self.clock.present:%-d %B %Y}, after {self._most_jumps} jumps of the clock"
        raise Stuck(f"{self._waits(execution_id)}; it has not ended {by}")

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass; what is due on the way happens at its moment."""
        until = self.clock.now() + round(seconds * SECOND)
        while await self._nothing_happens():
            due = self.clock.next_due()
            self.clock.jump_to(until if due is None else min(due, until))
            if due is None or due > until:
                break
        await self._nothing_happens()

    async def _nothing_happens(self, unless: asyncio.Future[Any] | None = None) -> bool:
        """Wait until nothing happens any more but by the clock; False when that is over, or the engine has died."""
        rounds = 0
        while rounds < _ROUNDS_FOR_THE_TEST:
            settled = asyncio.ensure_future(self.settled())
            try:
                await asyncio.wait({settled} if unless is None else {settled, unless}, return_when="FIRST_COMPLETED")
            finally:
                settled.cancel()
            if self.failure.done() or (unless is not None and unless.done()):
                return False
            rounds = rounds + 1 if self.standing().can_hibernate else 0
            await asyncio.sleep(0)
        return True

    def _waits(self, execution_id: str) -> str:
        waiting = self.read.waits_for(execution_id)
        words = [" ".join(filter(None, [one.kind, one.name or one.id])) for one in waiting]
        return f"execution {execution_id!r} waits for {' and '.join(words) or 'something of its own code'}"
