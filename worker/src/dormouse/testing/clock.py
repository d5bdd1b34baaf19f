"""What time is it in a test? A clock that stands still and jumps to where something is due."""

from __future__ import annotations

from datetime import datetime

from dormouse.engine.clock import SECOND, ManualClock, to_datetime


class VirtualClock(ManualClock):
    """The engine's clock of a test. It begins on 14 November 2023 at 22:13:20 UTC, always."""

    @property
    def present(self) -> datetime:
        """The moment at which it stands."""
        return to_datetime(self.now())

    def next_due(self) -> int | None:
        """When the next timer rings or the next retry begins; None when nothing is waited for."""
        return min((one.moment for one in self._appointments if not one.cancelled), default=None)

    def jump_to(self, moment: int) -> None:
        """Go on to this moment, and ring for all that is due by then. It never goes back."""
        self.advance(max(0, moment - self.now()) / SECOND)
