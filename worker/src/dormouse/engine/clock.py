"""What time is it, and who rings when a moment has come? The wall clock, and one that tests move by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000_000
_LONGEST_NAP_SECONDS = 30.0  # a wall clock that was set forward is noticed within this time


class Ringing(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """Moments are microseconds since 1970 in UTC."""

    def now(self) -> int: ...

    def call_at(self, moment: int, callback: Callable[[], None]) -> Ringing:
        """Call back at that moment or, now and then, earlier: the callee looks at the clock again."""
        ...


class SystemClock:
    """The machine's clock and the running asyncio loop."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def call_at(self, moment: int, callback: Callable[[], None]) -> Ringing:
        seconds = max(0.0, (moment - self.now()) / SECOND)
        return asyncio.get_running_loop().call_later(min(seconds, _LONGEST_NAP_SECONDS), callback)


class _Appointment:
    def __init__(self, moment: int, callback: Callable[[], None]) -> None:
        self.moment = moment
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """Stands still until a test moves it, so that a workflow that sleeps for a month is tested at once.

    It begins on 14 November 2023 at 22:13:20 UTC, unless told otherwise.
    """

    def __init__(self, now: int = 1_700_000_000 * SECOND) -> None:
        self._now = now
        self._appointments: list[_Appointment] = []

    def now(self) -> int:
        return self._now

    def call_at(self, moment: int, callback: Callable[[], None]) -> Ringing:
        if moment <= self._now:
            return asyncio.get_running_loop().call_soon(callback)
        appointment = _Appointment(moment, callback)
        self._appointments.append(appointment)
        return appointment

    @property
    def present(self) -> datetime:
        """The moment at which it stands."""
        return to_datetime(self._now)

    def next_due(self) -> int | None:
        """When the next timer rings or the next retry begins; None when nothing is waited for."""
        return min((one.moment for one in self._appointments if not one.cancelled), default=None)

    def advance(self, seconds: float) -> None:
        """Move the clock and ring for all that became due."""
        self.jump_to(self._now + round(seconds * SECOND))

    def jump_to(self, moment: int) -> None:
        """Go on to this moment, and ring for all that is due by then. It never goes back."""
        self._now = max(self._now, moment)
        due = [one for one in self._appointments if one.moment <= self._now]
        self._appointments = [one for one in self._appointments if one.moment > self._now]
        for appointment in sorted(due, key=lambda one: one.moment):
            if not appointment.cancelled:
                appointment.callback()


def to_datetime(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / SECOND, UTC)


def to_text(moment: int) -> str:
    """RFC 3339 with milliseconds, as the API shows moments."""
    return to_datetime(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")
