"""Is what was found in the source still its history, when a later life of it was claimed meanwhile?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from dormouse.keeper.origin import find_beginning
from dormouse.keeper.settings import FromName
from dormouse.replica.current import Base, Current, ForkOf, LineageEntry, State, encode
from dormouse.replica.layout import Layout
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import UNCHANGED, HistoryStore, ListedObject, StoredObject, Unchanged

SOURCE, FORK = Layout("team/orders"), Layout("team/copy")
FIRST, SECOND = f"{SOURCE.epochs}00000001-a", f"{SOURCE.epochs}00000002-b"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def record(*lineage: LineageEntry, state: State = State.ACTIVE) -> Current:
    return Current(len(lineage), "nonce", "uid", "source", len(lineage), "owner", state, lineage=lineage)


BEFORE = record(LineageEntry(1, FIRST, NOON.isoformat()))
CLAIMED = record(LineageEntry(1, FIRST, NOON.isoformat()), LineageEntry(2, SECOND, NOON.isoformat(), Base(FIRST, 1, 2)))


class Shelf:
    """The part of a store that is asked; writing it would fail; `meanwhile` happens when an epoch is listed."""

    def __init__(self, current: Current | None, meanwhile: Callable[[Shelf], None] = lambda _: None) -> None:
        self.current = current
        self.meanwhile = meanwhile

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | Unchanged | None:
        assert key == SOURCE.current
        if self.current is None:
            return None
        etag = str(self.current.revision)
        return UNCHANGED if etag == unless_etag else StoredObject(encode(self.current), etag, NOON)

    async def objects(self, prefix: str) -> AsyncIterator[ListedObject]:
        for txid in (1, 2, 3) if prefix.startswith(FIRST) else ():
            yield ListedObject(f"{FIRST}/0000/{txid:016x}-{txid:016x}.ltx", 1, NOON)
        self.meanwhile(self)


def found(shelf: Shelf) -> Base | None:
    beginning = asyncio.run(
        find_beginning(cast("HistoryStore", shelf), FromName("orders", SOURCE, None), FORK, Path("draft"))
    )
    assert beginning.origin == ForkOf("source")
    return beginning.base


def test_the_newest_position_of_a_source_that_stays_as_it_is() -> None:
    assert found(Shelf(BEFORE)) == Base(FIRST, 1, 3)


def test_a_claim_that_pinned_less_than_was_listed_is_seen_and_its_pin_counts() -> None:
    def claim(shelf: Shelf) -> None:
        shelf.current = CLAIMED

    assert found(Shelf(BEFORE, claim)) == Base(FIRST, 1, 2)


def test_while_a_life_has_not_said_where_the_one_before_it_ends_the_fork_waits() -> None:
    """What the claim has listed may be less than what is there now: a zombie uploads."""

    class Settling(Shelf):
        async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | Unchanged | None:
            found = await super().get(key, unless_etag)
            self.current = CLAIMED
            return found

    claimed = record(LineageEntry(1, FIRST, NOON.isoformat()), LineageEntry(2, SECOND))
    assert found(Settling(claimed)) == Base(FIRST, 1, 2)


def test_a_source_whose_life_does_not_begin_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse.keeper.origin._SETTLED_WITHIN_SECONDS", 0)
    with pytest.raises(Refused, match="let it run") as refused:
        found(Shelf(record(LineageEntry(1, FIRST, NOON.isoformat()), LineageEntry(2, SECOND))))
    assert refused.value.refusal.reason is Reason.RESTORE_SOURCE_BEGINS


@pytest.mark.parametrize(
    ("current", "reason"),
    [
        (None, Reason.RESTORE_SOURCE_MISSING),
        (record(state=State.RELEASED), Reason.RESTORE_SOURCE_MISSING),
        (record(LineageEntry(1, FIRST), state=State.DELETING), Reason.RESTORE_SOURCE_DELETING),
        (record(LineageEntry(1, SECOND, NOON.isoformat())), Reason.RESTORE_OUTSIDE_WINDOW),
    ],
    ids=["none", "tombstone", "deleting", "no data"],
)
def test_a_source_that_cannot_be_one_is_refused(current: Current | None, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        found(Shelf(current))
    assert refused.value.refusal.reason is reason


def test_what_a_deleted_workflow_left_can_be_restored() -> None:
    left = record(LineageEntry(1, FIRST, NOON.isoformat()), state=State.RELEASED)
    assert found(Shelf(left)) == Base(FIRST, 1, 3)
