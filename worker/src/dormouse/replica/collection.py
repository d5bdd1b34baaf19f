"""Which old epochs does nobody need any more?

History is the chain of bases from the newest epoch down. Of it stays what can still be asked for: every epoch that
was current within the retention, and what each of those began from, since for the moments before its own first upload
that is the answer. A life that changed nothing holds a second copy of what it began from: whoever began from it
begins from the first copy from then on, and it goes however young it is, its objects first: the lineage says until the
end that nobody needs them. The rest leaves the lineage first, by a conditional write, and the store afterwards: a crash
in between leaves objects that nothing names, which the next life removes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dormouse.replica.current import Current, LineageEntry, State
from dormouse.replica.history import behind_copies
from dormouse.replica.layout import epoch_of


@dataclass(frozen=True)
class Collected:
    """What is decided.

    Attributes:
        lineage: what stays.
        again_at: when it is worth asking again; None when nothing that is kept will ever go in this life.
        copies: the prefixes of what goes and was only a copy: their objects go first, however young they are.
    """

    lineage: tuple[LineageEntry, ...]
    again_at: datetime | None
    copies: frozenset[str] = frozenset()


def collect(current: Current, now: datetime, retention_seconds: int) -> Collected:
    """Decide as the owner of the newest epoch. `now` is by the store's clock, as the claims' times are."""
    mine = current.entry
    if current.state is not State.ACTIVE or not mine.replicated:
        # Until then the next life may have to begin from what this one did.
        return Collected(current.lineage, None)
    cutoff = now - timedelta(seconds=retention_seconds)
    single = replace(current, lineage=_without_copies(current))
    history = _history(single)
    promised = {mine.prefix}
    ends = []
    for entry, ended_at in zip(single.lineage, _ends(single), strict=False):
        acknowledged = entry.replicated or entry.prefix in history
        if acknowledged and (ended_at is None or ended_at > cutoff):
            promised.add(entry.prefix)
            ends += [ended_at] if ended_at is not None else []
    kept = promised | {entry.base.prefix for entry in single.lineage if entry.base and entry.prefix in promised}
    return Collected(
        tuple(entry for entry in single.lineage if entry.prefix in kept),
        min(ends) + timedelta(seconds=retention_seconds) if ends else None,
        frozenset(entry.prefix for entry in current.lineage) - {entry.prefix for entry in single.lineage},
    )


def pruned(current: Current, lineage: tuple[LineageEntry, ...]) -> Current:
    """The record without the entries that go; those that stay begin from what stays."""
    bases = {entry.prefix: entry.base for entry in lineage}
    kept = [entry for entry in current.lineage if entry.prefix in bases]
    return replace(current, lineage=tuple(replace(entry, base=bases[entry.prefix]) for entry in kept))


def is_leftover(key: str, current: Current) -> bool:
    """Whether no history can need this object: an older epoch's, which the lineage does not name."""
    epoch = epoch_of(key)
    named = any(key.startswith(f"{entry.prefix}/") for entry in current.lineage)
    return epoch is not None and epoch < current.epoch and not named


def _without_copies(current: Current) -> tuple[LineageEntry, ...]:
    """The lineage in which every base is the first copy of its content, without the copies that stood for it so far."""
    lineage = [
        replace(entry, base=behind_copies(current, entry.base)) if entry.base is not None else entry
        for entry in current.lineage
    ]
    before = {entry.base.prefix for entry in current.lineage if entry.base is not None}
    passed_over = before - {entry.base.prefix for entry in lineage if entry.base is not None}
    return tuple(entry for entry in lineage if entry.prefix not in passed_over)


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
