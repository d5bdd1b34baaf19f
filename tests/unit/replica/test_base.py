"""From where is a life restored? The walk down the lineage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse.replica.base import Ask, Found, find_base
from dormouse.replica.current import Base, Current, LineageEntry, State
from dormouse.replica.refusal import Reason, Refused


def lineage(*entries: LineageEntry) -> Current:
    mine = LineageEntry(entries[-1].epoch + 1 if entries else 1, "mine")
    return Current(1, "n", "w", "i", mine.epoch, "me", State.ACTIVE, None, None, (*entries, mine))


def walk(current: Current, held: dict[int, int], allow: int | None = None) -> Base | None:
    """Answer the walk's questions from what is held; it asks for each epoch once at most."""
    known: dict[int, int] = {}
    while True:
        step = find_base(current, known, allow)
        if isinstance(step, Found):
            return step.base
        assert isinstance(step, Ask)
        assert step.entry.epoch not in known
        known[step.entry.epoch] = held.get(step.entry.epoch, 0)


def refused(current: Current, held: dict[int, int], allow: int | None = None) -> Reason:
    with pytest.raises(Refused) as caught:
        walk(current, held, allow)
    return caught.value.refusal.reason


def test_a_first_life_has_no_base() -> None:
    assert walk(lineage(), {}) is None


def test_the_newest_epoch_that_holds_data_is_the_base_at_its_newest_transaction() -> None:
    current = lineage(LineageEntry(1, "p1", replicated=True), LineageEntry(2, "p2", replicated=True))
    assert walk(current, {1: 5, 2: 8}) == Base("p2", 2, 8)


def test_an_epoch_without_data_hands_on_what_it_was_restored_from() -> None:
    current = lineage(LineageEntry(1, "p1", replicated=True), LineageEntry(2, "p2", base=Base("p1", 1, 5)))
    # Epoch 1 grew after it was pinned: a zombie's uploads, which are not history.
    assert walk(current, {1: 9}) == Base("p1", 1, 5)


def test_epochs_that_never_got_anywhere_are_passed_over() -> None:
    current = lineage(LineageEntry(1, "p1", replicated=True), LineageEntry(2, "p2"), LineageEntry(3, "p3"))
    assert walk(current, {1: 5}) == Base("p1", 1, 5)


def test_a_pin_of_our_own_is_kept_without_asking() -> None:
    current = lineage(LineageEntry(1, "p1", replicated=True)).with_entry(base=Base("p1", 1, 3))
    assert find_base(current, {}) == Found(Base("p1", 1, 3))


@pytest.mark.parametrize(
    "current",
    [
        lineage(LineageEntry(1, "p1", replicated=True)),
        lineage(LineageEntry(1, "p1"), LineageEntry(2, "p2", replicated=True)),
        lineage(LineageEntry(1, "p1"), LineageEntry(2, "p2", base=Base("p1", 1, 5), replicated=True)),
    ],
    ids=["nothing left", "only older left", "only the pin of what is lost left"],
)
def test_acknowledged_data_that_is_gone_is_never_replaced_by_older(current: Current) -> None:
    held = {1: 5} if len(current.lineage) > 2 else {}
    assert refused(current, held) is Reason.REPLICA_MISSING


def test_acknowledged_data_is_given_up_only_by_its_own_epoch() -> None:
    current = lineage(LineageEntry(1, "p1"), LineageEntry(2, "p2", replicated=True))
    assert refused(current, {1: 5}, allow=1) is Reason.REPLICA_MISSING
    assert walk(current, {1: 5}, allow=2) is None


def test_a_base_must_reach_its_seal() -> None:
    current = lineage(LineageEntry(1, "p1", replicated=True, sealed_txid=7))
    assert walk(current, {1: 7}) == Base("p1", 1, 7)
    assert refused(current, {1: 6}) is Reason.RESTORE_INCOMPLETE


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=5),
    st.none() | st.integers(1, 6),
)
def test_no_restore_is_older_than_what_was_acknowledged(epochs: list[tuple[bool, int]], allow: int | None) -> None:
    entries = [LineageEntry(number, f"p{number}", replicated=flag) for number, (flag, _) in enumerate(epochs, 1)]
    held = {number: newest for number, (_, newest) in enumerate(epochs, 1)}
    acknowledged = max((entry.epoch for entry in entries if entry.replicated), default=0)
    try:
        base = walk(lineage(*entries), held, allow)
    except Refused:
        assert acknowledged
        return
    if base is None:
        assert acknowledged in (0, allow)
    else:
        assert base.epoch >= acknowledged
        assert base.txid == held[base.epoch]


def test_the_pin_of_a_fork_never_stands_in_for_what_its_own_epochs_acknowledged() -> None:
    source = Base("source/epochs/7", 7, 33)
    unreplicated = LineageEntry(1, "fork/epochs/1", base=source)
    mine = LineageEntry(3, "fork/epochs/3")
    current = Current(1, "n", "w", "i", 3, "me", State.ACTIVE, lineage=(unreplicated, mine))
    assert walk(current, {}) == source
    lost = LineageEntry(2, "fork/epochs/2", replicated=True, base=source)
    current = Current(1, "n", "w", "i", 3, "me", State.ACTIVE, lineage=(unreplicated, lost, mine))
    assert refused(current, {}) is Reason.REPLICA_MISSING
