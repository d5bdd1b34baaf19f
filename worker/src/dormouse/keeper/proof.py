"""Until when may this pod act? Ownership was proven at a moment; a bound after that, it counts as lost."""

from __future__ import annotations

import time
from dataclasses import dataclass


def boot_seconds() -> float:
    """Unlike the monotonic clock this one goes on while the machine is suspended, and all of a node read the same."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Bound:
    """How long nobody has to prove anything.

    Attributes:
        seconds: after the last proof nothing acts any more. What the operator waits before it counts a silent node as
            lost, less the time between two renewals of a node's Lease, since the silence counts from the last one: so
            a pod that is cut off is quiet before its successor begins.
    """

    seconds: float

    @property
    def ask_every(self) -> float:
        """So often that some questions in a row may stay without an answer."""
        return self.seconds / 8

    @property
    def told_after(self) -> float:
        """The age of a proof at which a guest is told to end."""
        return self.seconds * 3 / 4

    def until_killed(self, age: float) -> float:
        """How long a guest that was told to end may take for it, when the last proof is so old."""
        return max(0.0, min(self.seconds - age, self.seconds - self.told_after))
