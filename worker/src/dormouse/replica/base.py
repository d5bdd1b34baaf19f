"""From which epoch, up to which transaction, is a life restored?

Walk the lineage down from the epoch before: an entry that holds data is the base; one without data hands on the pin
that it was itself restored from. The base must not be older than the newest epoch that acknowledged anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dormouse.replica.current import Base, Current, LineageEntry
from dormouse.replica.refusal import Reason, Refused


@dataclass(frozen=True)
class Ask:
    """The walk has to know the newest txid below this entry's prefix."""

    entry: LineageEntry


@dataclass(frozen=True)
class Found:
    """Restore this; None means that the workflow never held any data."""

    base: Base | None


def find_base(current: Current, newest_txid: Mapping[int, int], allow_empty_restore: int | None = None) -> Ask | Found:
    """One step of the walk. `newest_txid` has what is known so far, by epoch; 0 means that an epoch holds nothing.

    Raises:
        Refused: ReplicaMissing or RestoreIncomplete.
    """
    if current.entry.base is not None:
        return Found(current.entry.base)
    earlier = current.lineage[:-1]
    acknowledged = max((entry.epoch for entry in earlier if entry.replicated), default=0)
    for entry in reversed(earlier):
        if entry.epoch not in newest_txid:
            return Ask(entry)
        newest = newest_txid[entry.epoch]
        if newest == 0 and entry.base is None:
            continue
        base = Base(entry.prefix, entry.epoch, newest) if newest else entry.base
        assert base is not None  # noqa: S101 - one of the two was there
        if _own_epoch(base, entry) < acknowledged:
            break
        if newest and entry.sealed_txid is not None and newest < entry.sealed_txid:
            raise Refused(
                Reason.RESTORE_INCOMPLETE,
                f"epoch {entry.epoch} was sealed at {entry.epoch}/{entry.sealed_txid}, but the store holds it only up "
                f"to {entry.epoch}/{newest}. Bring the missing objects back, or start a fork at an older position",
            )
        return Found(base)
    if acknowledged and acknowledged != allow_empty_restore:
        raise _missing(acknowledged)
    return Found(None)


def _own_epoch(base: Base, entry: LineageEntry) -> int:
    """0 for the pin of a fork: the epochs of its source are older than any of its own."""
    own = base.prefix.rpartition("/")[0] == entry.prefix.rpartition("/")[0]
    return base.epoch if own else 0


def _missing(epoch: int) -> Refused:
    return Refused(
        Reason.REPLICA_MISSING,
        f"the data that epoch {epoch} acknowledged is not in the store any more. Bring it back (a versioned bucket "
        f"may still have it), or give it up with storage.allowEmptyRestore: {epoch}",
    )
