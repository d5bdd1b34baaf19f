"""Which record follows when data is released or deleted? Every step may be repeated, none may be skipped."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from dormouse.replica.current import Current, LineageEntry, SealReason, State, decode, encode
from dormouse_operator.store.release import Leaving, NotOurs, next_record

RETAIN: Literal["Retain"] = "Retain"
DELETE: Literal["Delete"] = "Delete"
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
