"""When is the next drill due, and what is told of the last one? As `spec.drill` says, counted over all lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from dormouse.keeper.client import KeeperError
from dormouse.keeper.report import LONGEST_TEXT, DrillResult
from dormouse.runtime.drill import Drill
from dormouse.runtime.views import DrillView

_log = logging.getLogger("dormouse.runtime")
FIRST_AFTER_SECONDS = 30.0
"""A life that has just begun has other things to do, and perhaps nothing in the store yet."""


def seconds_until(interval_seconds: int, last: datetime | None, now: datetime) -> float:
    """From the beginning of a life to its first drill. Pure."""
    since = interval_seconds if last is None else (now - last).total_seconds()
    # A clock that was set back must not put it off for longer than it is.
    return min(float(interval_seconds), max(FIRST_AFTER_SECONDS, interval_seconds - since))


def result_of(found: DrillView, at: datetime) -> DrillResult:
    """What the status says of it."""
    moment = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    message = "; ".join(found.problems)
    if found.ok:
        message = f"{found.position} was restored and is what the live side holds"
    return DrillResult(moment, found.position, found.ok, message[:LONGEST_TEXT])


class Drilling:
    """The scheduled drills of one life."""

    def __init__(self, drill: Drill, interval_seconds: int, last: datetime | None, tell: Callable[[], None]) -> None:
        """Nothing is done before `run`; `tell` is called when there is a new result."""
        self._drill = drill
        self._interval_seconds = interval_seconds
        self._last = last
        self._tell = tell
        self.result: DrillResult | None = None

    async def run(self) -> None:
        """Drill when it is due, until cancelled."""
        pause = seconds_until(self._interval_seconds, self._last, datetime.now(UTC))
        while True:
            await asyncio.sleep(pause)
            pause = float(self._interval_seconds)
            try:
                found = await self._drill()
            except KeeperError as error:
                _log.warning("no drill: %s", error)
                continue
            self.result = result_of(found, datetime.now(UTC))
            _log.log(logging.INFO if found.ok else logging.ERROR, "drill: %s", self.result.message)
            self._tell()
