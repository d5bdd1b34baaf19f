"""Would this replica notice what happens in the cluster? What stands in the way, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEARD_SECONDS = 30.0
"""Every replica asks for its Lease every few seconds; a request ends after 15."""


@dataclass(frozen=True)
class Senses:
    """What a replica knows of itself. Times are the loop's."""

    is_filled: bool
    """Everything was listed once."""
    is_watching: bool
    heard_at: float
    """When the API server answered last, whatever it said."""
    is_known: bool = True
    """Whether it took our token then."""


def objections(senses: Senses, now: float) -> Iterator[str]:
    """Why it is not ready; nothing when it is. A standby is as ready as the leader."""
    if not senses.is_filled:
        yield "not everything was listed yet"
    if not senses.is_known:
        yield "the API server refuses the operator's token (401)"
    if not senses.is_watching:
        yield "the watches ended, and have not begun anew"
    if now - senses.heard_at > HEARD_SECONDS:
        yield f"the API server has not answered for {HEARD_SECONDS:g} s"
