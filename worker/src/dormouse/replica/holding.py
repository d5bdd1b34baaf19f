"""Is the record in the store still this life's, what became of a write of it, and what may a life write into it?

Pure, like the claim: whoever reads and writes CURRENT asks here what an answer means.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from dormouse.replica.claim import Malformed
from dormouse.replica.current import Base, Current, SealReason, State


class Outcome(Enum):
    """What a read shows of a conditional write whose answer was an error or none."""

    LANDED = auto()
    LOST = auto()
    """Something else was written: this record never will be."""
    SEND_AGAIN = auto()
    """Nothing changed yet. The same bytes under the same condition: whichever arrives first makes the other void."""


def outcome(sent: Current, condition: str | None, seen: Current | Malformed | None, etag: str | None) -> Outcome:
    """A conflict, a time-out and a 5xx all mean "unknown"; the nonce in what is read next decides."""
    if isinstance(seen, Current) and seen.nonce == sent.nonce:
        return Outcome.LANDED
    return Outcome.SEND_AGAIN if etag == condition else Outcome.LOST


def is_same_life(seen: Current | Malformed | None, mine: Current) -> bool:
    """Whether the life of `mine` may still write and acknowledge."""
    return _is_mine(seen, mine, State.ACTIVE)


def is_own_seal(seen: Current | Malformed | None, mine: Current) -> bool:
    """Whether this is the seal of that life, whose answer was lost."""
    return _is_mine(seen, mine, State.SEALED)


def _is_mine(seen: Current | Malformed | None, mine: Current, state: State) -> bool:
    return (
        isinstance(seen, Current)
        and seen.state is state
        and (seen.workflow_uid, seen.epoch, seen.owner) == (mine.workflow_uid, mine.epoch, mine.owner)
    )


def is_pinned(current: Current) -> bool:
    """Whether it was settled before what this epoch begins from; a zombie may have written to that source since."""
    return current.entry.claimed_at is not None


def pinned(current: Current, base: Base | None, claimed_at: str | None) -> Current:
    """From now on the epoch of `base` ends there for all history."""
    return current.with_entry(base=base, claimed_at=claimed_at)


def replicated(current: Current, copies_base: bool) -> Current:
    """From here on this epoch may acknowledge, and none older may replace it."""
    return current.with_entry(replicated=True, copies_base=copies_base)


def sealed(current: Current, txid: int, reason: SealReason, next_wake_at: str | None) -> Current:
    """The last word of a life that ends well."""
    sealed_entry = current.with_entry(sealed_txid=txid)
    return replace(sealed_entry, state=State.SEALED, seal_reason=reason, next_wake_at=next_wake_at)
