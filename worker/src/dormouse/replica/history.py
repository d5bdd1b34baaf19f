"""Which positions can a workflow be restored to, and which of them is meant by a time?

History is what the lineage's pins leave of each epoch: what a zombie uploads beyond a pin is never part of it. Times
are the store's own where it is known better than the node: no transaction was written after the store had it, nor
before its epoch was claimed, whatever the clock of its node said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dormouse.replica.current import Base, Current, LineageEntry, Position, State
from dormouse.replica.holding import is_pinned
from dormouse.replica.refusal import Reason, Refused


@dataclass(frozen=True)
class Segment:
    """The part of history that one epoch holds: its transactions up to `cap`, or all of them."""

    entry: LineageEntry
    cap: int | None


@dataclass(frozen=True)
class File:
    """An LTX file: transactions `first` to `last`, in the store by `stored_by` at the latest, by the store's clock."""

    key: str
    first: int
    last: int
    stored_by: datetime


@dataclass(frozen=True)
class AskFiles:
    """The files below this entry's prefix have to be known."""

    entry: LineageEntry


@dataclass(frozen=True)
class AskWritten:
    """It has to be known when the last transaction of this file was written, by its node's clock."""

    file: File


@dataclass(frozen=True)
class Resolved:
    """Restore this."""

    base: Base


def history(current: Current) -> Iterator[Segment]:
    """The newest first. It ends where the lineage was pruned, or where a fork began."""
    # Data is only written after the pin, so what has no time yet holds none.
    entry = next((one for one in reversed(current.lineage) if one.claimed_at is not None), None)
    cap = None if entry is None else entry.sealed_txid
    by_prefix = {one.prefix: one for one in current.lineage}
    while entry is not None:
        yield Segment(entry, cap)
        base = entry.base
        entry, cap = (None, None) if base is None else (by_prefix.get(base.prefix), base.txid)


def is_settled(current: Current) -> bool:
    """Whether no life is about to say where the one before it ended: what it has listed may be less than there is."""
    return current.state is not State.ACTIVE or is_pinned(current)


def behind_copies(current: Current, base: Base, *, or_unmarked: bool = False) -> Base:
    """The same content where it was written first: a life that only copied what it began from may go at any moment.

    Args:
        current: the record of the workflow whose history it is.
        base: what somebody is to begin from.
        or_unmarked: pass over the first transaction of the newest epoch as well while the record does not say yet
            whether it is a copy: nothing of it has been acknowledged.
    """
    by_prefix = {entry.prefix: entry for entry in current.lineage}
    while True:
        entry = by_prefix.get(base.prefix)
        if entry is None or entry.base is None or entry.base.prefix not in by_prefix or base.txid != 1:
            return base
        may_be_one = or_unmarked and entry is current.entry and not entry.replicated
        if not (entry.copies_base or may_be_one):
            return base
        base = entry.base


def restorable(files: Iterable[File], cap: int | None) -> list[File]:
    """One file for each transaction that a restore can end at, in their order: that which the store had first.

    A transaction can be restored when files lead up to it without a gap and one of them ends there; compaction takes
    the others away.
    """
    found: dict[int, File] = {}
    reached = 0
    for file in sorted(files, key=lambda file: (file.last, file.stored_by)):
        if cap is not None and file.last > cap:
            break
        if file.first <= reached + 1 and file.last not in found:
            found[file.last] = file
            reached = file.last
    return list(found.values())


Step = AskFiles | AskWritten | Resolved


def resolve(
    current: Current,
    at: Position | datetime | None,
    files: Mapping[str, Iterable[File]],
    written: Mapping[str, datetime],
) -> Step:
    """One step of finding what to restore; None means the newest position.

    Args:
        current: the record of the workflow whose history it is.
        at: the position, or the moment: the last transaction that was written by then.
        files: what is known so far, by the prefix of an entry.
        written: when the last transaction of a file was written, as far as it is known, by the file's key.

    Raises:
        Refused: when there is no such position.
    """
    if isinstance(at, Position):
        return _at_position(current, at, files)
    oldest: datetime | None = None
    for segment in history(current):
        entry = segment.entry
        began = datetime.fromisoformat(str(entry.claimed_at))
        if at is not None and began > at:
            oldest = began
            continue
        if entry.prefix not in files:
            return AskFiles(entry)
        chosen: File | None = None
        for file in restorable(files[entry.prefix], segment.cap):
            if at is not None and file.stored_by > at:
                if file.key not in written:
                    return AskWritten(file)
                if written[file.key] > at:
                    break
            chosen = file
        if chosen is not None:
            found = Base(entry.prefix, entry.epoch, chosen.last)
            return Resolved(behind_copies(current, found, or_unmarked=True))
        oldest = began
    if at is None or oldest is None:
        raise _outside("the source holds no data yet", "wait for its first transaction")
    raise _outside(
        f"{_text(at)} lies before everything that is kept: what can be restored begins after {_text(oldest)}",
        "choose a later time",
    )


def _at_position(current: Current, at: Position, files: Mapping[str, Iterable[File]]) -> AskFiles | Resolved:
    segments = {segment.entry.epoch: segment for segment in history(current)}
    segment = segments.get(at.epoch)
    if segment is None:
        there_are = ", ".join(map(str, sorted(segments))) or "none"
        raise _outside(f"epoch {at.epoch} is not part of the source's history", f"its epochs are: {there_are}")
    if segment.cap is not None and at.txid > segment.cap:
        raise _outside(
            f"{at} is not part of the source's history: that epoch ends at {at.epoch}/{segment.cap}",
            "choose that position, or one of a later epoch",
        )
    wanted = Base(segment.entry.prefix, at.epoch, at.txid)
    if not segment.entry.copies_base and (behind := behind_copies(current, wanted, or_unmarked=True)) != wanted:
        began = f"{behind.epoch}/{behind.txid}"
        raise _outside(
            f"{at} was never acknowledged: it may turn out to be a copy of {began}, and go",
            f"choose {began}, or let the source run until its first transaction is acknowledged",
        )
    if segment.entry.prefix not in files:
        return AskFiles(segment.entry)
    ends = [file.last for file in restorable(files[segment.entry.prefix], segment.cap)]
    if at.txid in ends:
        return Resolved(behind_copies(current, wanted))
    if segment.cap is None and ends and at.txid > ends[-1]:
        newest = f"{at.epoch}/{ends[-1]}"
        raise _outside(f"{at} lies after {newest}, the newest position that the store holds", f"choose {newest}")
    near = [end for end in ends if end < at.txid][-1:] + [end for end in ends if end > at.txid][:1]
    nearest = " and ".join(f"{at.epoch}/{end}" for end in near) or "none in that epoch"
    raise _outside(f"the store cannot restore {at}: compaction merged it with others", f"the nearest are: {nearest}")


@dataclass(frozen=True)
class Oldest:
    """The oldest position that can be restored, and the file that ends there."""

    position: Position
    file: File


def oldest(current: Current, files: Mapping[str, Iterable[File]]) -> AskFiles | Oldest | None:
    """One step of finding where the recovery window begins; None when nothing can be restored."""
    for segment in reversed(list(history(current))):
        entry = segment.entry
        if entry.prefix not in files:
            return AskFiles(entry)
        ends = restorable(files[entry.prefix], segment.cap)
        if ends:
            return Oldest(Position(entry.epoch, ends[0].last), ends[0])
    return None


def _outside(what: str, remedy: str) -> Refused:
    return Refused(Reason.RESTORE_OUTSIDE_WINDOW, f"{what}; {remedy}")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
