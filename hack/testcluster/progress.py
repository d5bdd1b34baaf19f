"""What does a person see meanwhile? One line a step, with the seconds since the start."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from testcluster.commands import ClusterError

_EVERY_SECONDS = 0.2


class Progress:
    """Prints to standard error, so that standard output stays what was asked for."""

    def __init__(self) -> None:
        """The clock starts here."""
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """One line, now."""
        print(f"{time.monotonic() - self._started:7.1f} s  {text}", file=sys.stderr, flush=True)


def wait_until(what: str, is_so: Callable[[], bool], *, seconds: float, remedy: str) -> None:
    """Ask until the answer is yes; raises ClusterError with the remedy when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {seconds:.0f} s. {remedy}")
        time.sleep(_EVERY_SECONDS)
