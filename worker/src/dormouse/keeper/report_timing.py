"""When is a report worth a request? Pure: what was seen and posted, and when, becomes the moment of the next post.

What somebody has to act on goes at once, five seconds after the last post at the earliest. Everything else waits
until it has settled: a workflow that takes a step each second would make its status a heartbeat. A post that failed
is repeated with growing pauses until the operator has taken it, so nothing has to be told twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dormouse.keeper.report import Report, RuntimeStatus

URGENT_SECONDS = 5.0
QUIET_SECONDS = 15.0
SETTLED_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Mail:
    """All times are seconds of one monotonic clock.

    Attributes:
        posted: what the operator took last.
        waiting: what it has to know now, when that is something else.
        since: since when there is something to tell.
        changed_at: when that changed last.
        not_before: when a post may be tried again after one that failed.
    """

    posted: Report | None = None
    posted_at: float = -math.inf
    waiting: Report | None = None
    since: float = 0.0
    changed_at: float = 0.0
    failures: int = 0
    not_before: float = -math.inf

    def see(self, report: Report, now: float) -> Mail:
        """This is how things are now."""
        if self.posted is not None and _worth(report) == _worth(self.posted):
            return replace(self, waiting=None)
        if self.waiting is None:
            return replace(self, waiting=report, since=now, changed_at=now)
        is_same = _worth(report) == _worth(self.waiting)
        return replace(self, waiting=report, changed_at=self.changed_at if is_same else now)

    @property
    def due(self) -> float | None:
        """When to post what is waiting; None when nothing is."""
        if self.waiting is None:
            return None
        if _urgent(self.waiting) != (_urgent(self.posted) if self.posted is not None else _NOTHING_URGENT):
            wanted = self.posted_at + URGENT_SECONDS
        else:
            settled = min(self.changed_at + SETTLED_SECONDS, self.since + QUIET_SECONDS)
            wanted = max(self.posted_at + QUIET_SECONDS, settled)
        return max(wanted, self.not_before)

    def took(self, report: Report, now: float) -> Mail:
        """The operator has it."""
        return Mail(posted=report, posted_at=now)

    def failed(self, now: float) -> Mail:
        """The operator does not have it, as far as is known."""
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self.failures, 16))
        return replace(self, failures=self.failures + 1, not_before=now + pause)


_Urgent = tuple[str, tuple[object, ...]]
_NOTHING_URGENT: _Urgent = ("Fresh", ())


def _urgent(report: Report) -> _Urgent:
    return report.replication.state, report.runtime.blocked if report.runtime is not None else ()


def _worth(report: Report) -> tuple[str, RuntimeStatus | None, str]:
    """Positions and the window's end move with each commit, and a store words its troubles anew each time."""
    window = report.recovery_window
    return report.replication.state, report.runtime, window.begins if window is not None else ""
