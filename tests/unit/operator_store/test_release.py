"""Which record follows when data is released or deleted? Every step may be repeated, none may be skipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest

from dormouse.replica.current import Current, LineageEntry, SealReason, State, decode, encode
from dormouse.replica.layout import Layout
from dormouse.replica.store import StoredObject
from dormouse_operator.store.release import Leaving, NotOurs, next_record, release

RETAIN: Literal["Retain"] = "Retain"
DELETE: Literal["Delete"] = "Delete"
LAYOUT = Layout.of("", "team", "report")
EPOCH = "00000002-0123abcd"
SEALED = Current(
    revision=4,
    nonce="old",
    workflow_uid="mine",
    identity="mine",
    epoch=2,
    owner="pod",
    state=State.SEALED,
    seal_reason=SealReason.COMPLETED,
    lineage=(LineageEntry(2, "p", replicated=True),),
)


def step(
    found: Current | None, policy: Literal["Retain", "Delete"], *, is_empty: bool = False, epoch: int = 2
) -> Current | None:
    return next_record(found, Leaving("mine", policy, epoch), "new", is_empty=is_empty)


def test_retained_data_is_released_with_its_lineage_and_nothing_else_follows() -> None:
    released = step(SEALED, RETAIN)
    assert released is not None
    assert (released.state, released.lineage, released.revision) == (State.RELEASED, SEALED.lineage, 5)
    assert decode(encode(released)) == released
    assert step(released, RETAIN) is None


def test_data_is_marked_as_deleting_before_anything_is_removed_and_a_tombstone_stays() -> None:
    deleting = step(SEALED, DELETE, epoch=5)
    assert deleting is not None
    assert (deleting.state, deleting.lineage) == (State.DELETING, SEALED.lineage)
    assert step(deleting, DELETE, epoch=5) is None
    tombstone = step(deleting, DELETE, is_empty=True, epoch=5)
    assert tombstone is not None
    assert (tombstone.state, tombstone.lineage, tombstone.epoch) == (State.RELEASED, (), 5)
    assert decode(encode(tombstone)) == tombstone
    assert step(tombstone, DELETE, epoch=5) is None


def test_data_that_is_half_removed_can_only_be_removed() -> None:
    deleting = replace(SEALED, state=State.DELETING, seal_reason=None)
    assert step(deleting, RETAIN) is None
    tombstone = step(deleting, RETAIN, is_empty=True)
    assert tombstone is not None
    assert tombstone.lineage == ()


def test_released_data_can_still_be_deleted() -> None:
    released = step(SEALED, RETAIN)
    deleting = step(released, DELETE)
    assert deleting is not None
    assert deleting.state is State.DELETING


def test_a_lost_current_is_made_anew_only_to_delete_what_is_left() -> None:
    assert step(None, RETAIN) is None
    made = step(None, DELETE, epoch=7)
    assert made is not None
    assert (made.state, made.epoch, decode(encode(made))) == (State.DELETING, 7, made)


@pytest.mark.parametrize("policy", [RETAIN, DELETE])
def test_the_data_of_another_is_not_touched(policy: Literal["Retain", "Delete"]) -> None:
    with pytest.raises(NotOurs, match="theirs"):
        step(replace(SEALED, workflow_uid="theirs"), policy)


class Shelf:
    """Objects in memory."""

    def __init__(self, count: int) -> None:
        self.objects = {LAYOUT.current: encode(SEALED)} | {f"{LAYOUT.epochs}{EPOCH}/{n}.ltx": b"" for n in range(count)}

    async def get(self, key: str, unless_etag: str | None = None) -> StoredObject | None:  # noqa: ARG002 - the port
        found = self.objects.get(key)
        return None if found is None else StoredObject(found, str(hash(found)), datetime.now(UTC))

    async def put(self, key: str, data: bytes, if_match: str | None) -> str:  # noqa: ARG002 - the port
        self.objects[key] = data
        return str(hash(data))

    async def exists(self, key: str) -> bool:
        return key in self.objects

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        for key in tuple(self.objects):
            if key.startswith(prefix):
                yield key

    async def delete(self, key: str) -> None:
        del self.objects[key]


def test_a_removal_that_takes_longer_gives_way_and_goes_on_until_a_tombstone_stays() -> None:
    shelf, turns = Shelf(40), 1
    leaving = Leaving("mine", "Delete", 2)
    while not asyncio.run(release(shelf, LAYOUT, leaving, seconds=0)):
        turns += 1
        assert decode(shelf.objects[LAYOUT.current]).state is State.DELETING
    assert turns == 3  # two batches of sixteen, and the rest
    assert set(shelf.objects) == {LAYOUT.current}
    assert decode(shelf.objects[LAYOUT.current]).lineage == ()


def test_a_removal_that_is_quick_is_done_at_once() -> None:
    shelf = Shelf(40)
    assert asyncio.run(release(shelf, LAYOUT, Leaving("mine", "Delete", 2), seconds=3600))
    assert set(shelf.objects) == {LAYOUT.current}
