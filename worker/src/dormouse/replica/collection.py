"""Which old epochs does nobody need any more?

History is the chain of bases from the newest epoch down. Of it stays what can still be asked for: every epoch that
was current within the retention, and what each of those began from, since for the moments before its own first upload
that is the answer. The rest leaves the lineage first, by a conditional write, and the store afterwards: a crash in
between leaves objects that nothing names, which the next life removes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dormouse.replica.current import Current, LineageEntry, State
from dormouse.replica.layout import epoch_of


@dataclass(frozen=True)
class Collected:
    """What stays, and when it is worth asking again; None when nothing that is kept will ever go in this life."""

    lineage: tuple[LineageEntry, ...]
    again_at: datetime | None


def collect(current: Current, now: datetime, retention_seconds: int) -> Collected:
    """Decide as the owner of the newest epoch. `now` is by the store's clock, as the claims' times are."""
    mine = current.entry
    if current.state is not State.ACTIVE or not mine.replicated:
        # Until then the next life may have to begin from what this one did.
        return Collected(current.lineage, None)
    cutoff = now - timedelta(seconds=retention_seconds)
    history = _history(current)
    promised = {mine.prefix}
    ends = []
    for entry, ended_at in zip(current.lineage, _ends(current), strict=False):
        acknowledged = entry.replicated or entry.prefix in history
        if acknowledged and (ended_at is None or ended_at > cutoff):
            promised.add(entry.prefix)
            ends += [ended_at] if ended_at is not None else []
    kept = promised | {entry.base.prefix for entry in current.lineage if entry.base and entry.prefix in promised}
    lineage = tuple(entry for entry in current.lineage if entry.prefix in kept)
    return Collected(lineage, min(ends) + timedelta(seconds=retention_seconds) if ends else None)


def pruned(current: Current, lineage: tuple[LineageEntry, ...]) -> Current:
    """The record without the entries that go."""
    kept = {entry.prefix for entry in lineage}
    return replace(current, lineage=tuple(entry for entry in current.lineage if entry.prefix in kept))


def is_leftover(key: str, current: Current) -> bool:
    """Whether no history can need this object: an older epoch's, which the lineage does not name."""
    epoch = epoch_of(key)
    named = any(key.startswith(f"{entry.prefix}/") for entry in current.lineage)
    return epoch is not None and epoch < current.epoch and not named


def _history(current: Current) -> set[str]:
    """The prefixes that the newest epoch rests on."""
    by_prefix = {entry.prefix: entry for entry in current.lineage}
    found: set[str] = set()
    entry: LineageEntry | None = current.entry
    while entry is not None and entry.prefix not in found:
        found.add(entry.prefix)
        entry = by_prefix.get(entry.base.prefix) if entry.base is not None else None
    return found


def _ends(current: Current) -> list[datetime | None]:
    """When each earlier entry ceased to be current: with the next claim whose time is known; None when none is."""
    ends: list[datetime | None] = []
    following: datetime | None = None
    for entry in reversed(current.lineage):
        ends.append(following)
        following = _moment(entry.claimed_at) or following
    return ends[::-1]


def _moment(text: str | None) -> datetime | None:
    """None for what cannot be compared; what is not understood is kept."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
