"""What has this life done so far, in numbers? Integers that the engine adds to on its way; nothing is computed here."""

from __future__ import annotations

from collections import Counter

_MOST_NAMES = 1000
OTHERS = "(others)"
"""Stands for the activities that are too many to be told apart."""


class Durations:
    """How long things took. The n-th count is of those that took less than 2**n nanoseconds, and not less than half."""

    __slots__ = ("counts", "total_ns")

    def __init__(self) -> None:
        self.counts = [0] * 64
        self.total_ns = 0

    def add(self, nanoseconds: int) -> None:
        self.counts[nanoseconds.bit_length()] += 1
        self.total_ns += nanoseconds


class AttemptTally:
    """How the attempts of one activity ended, and how long they took."""

    __slots__ = ("cancelled", "durations", "failed", "retried", "succeeded")

    def __init__(self) -> None:
        self.succeeded = self.retried = self.failed = self.cancelled = 0
        self.durations = Durations()


class Tally:
    """The counts of one engine.

    Attributes:
        started: executions that began, by workflow.
        closed: those that ended, by workflow and status.
        events: what was added to the logs.
        commits: how long each took.
        barriers: how long it was waited until commits counted.
        attempts: by activity.
    """

    def __init__(self) -> None:
        self.started: Counter[str] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()
        self.events = 0
        self.commits = Durations()
        self.barriers = Durations()
        self.attempts: dict[str, AttemptTally] = {}

    @property
    def steps(self) -> int:
        """Activities that came to a result, or failed for good."""
        return sum(one.succeeded + one.failed for one in list(self.attempts.values()))

    def attempts_of(self, activity: str) -> AttemptTally:
        found = self.attempts.get(activity)
        if found is None:
            name = activity if len(self.attempts) < _MOST_NAMES else OTHERS
            found = self.attempts.setdefault(name, AttemptTally())
        return found
