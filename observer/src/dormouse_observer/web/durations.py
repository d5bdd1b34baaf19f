"""How long did something take? In words, and honest where a fork stood still meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dormouse.client.forks import Fork, is_forked_between
from dormouse.engine.clock import SECOND

PAUSE = ", the fork's pause included"


def took(begin: int, end: int, forks: Iterable[Fork]) -> str:
    """For people. When a fork was let go on is not recorded, so its pause is told and not taken off."""
    return duration(end - begin) + (PAUSE if is_forked_between(forks, begin, end) else "")


def duration(microseconds: int) -> str:
    """For people: two units at most."""
    seconds = max(0, microseconds) / SECOND
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else f"{max(0, microseconds)} µs"
    if seconds < 60:
        return f"{seconds:.1f} s"
    left, parts = int(seconds), list[tuple[int, str]]()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)
