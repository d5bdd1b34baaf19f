"""When several parts of a life fail together, which of their errors says why it ends?"""

from __future__ import annotations

from collections.abc import Iterator

from dormouse.keeper.ownership import NotOurs
from dormouse.replica.refusal import Refused
from dormouse.replica.store import StoreError


def cause_of(error: Exception) -> Exception:
    """The error itself, or of a group the one that matters most."""
    return min(_leaves(error), key=_rank)


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _rank(error: Exception) -> int:
    """Of what failed together, that another life is current matters most."""
    return next((rank for rank, kind in enumerate((NotOurs, Refused, StoreError)) if isinstance(error, kind)), 9)
