"""Which old epochs may go? What retention promises stays, and what the newest rests on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dormouse.replica.base import Found, find_base
from dormouse.replica.collection import collect, is_leftover, pruned
from dormouse.replica.current import Base, Current, LineageEntry, SealReason, State

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86400


def claimed(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat()


def entry(epoch: int, hours: float, base: int | None = None, replicated: bool = True) -> LineageEntry:
    found = None if base is None else Base(prefix(base), base, 1)
    return LineageEntry(epoch, prefix(epoch), claimed(hours), found, replicated)


def prefix(epoch: int) -> str:
    return f"w/epochs/{epoch:08d}-owner"


def record(*entries: LineageEntry) -> Current:
    return Current(1, "n", "w", "i", entries[-1].epoch, "me", State.ACTIVE, lineage=entries)


def kept(current: Current, hours: float, retention: int = DAY) -> list[int]:
    return [one.epoch for one in collect(current, START + timedelta(hours=hours), retention).lineage]


CHAIN = record(entry(1, 0), entry(2, 10, 1), entry(3, 20, 2), entry(4, 30, 3))


def test_everything_that_was_current_within_the_retention_stays() -> None:
    assert kept(CHAIN, 31) == [1, 2, 3, 4]


def test_of_what_is_older_only_the_base_of_what_stays_is_kept() -> None:
    # A day before hour 45 epoch 3 was current, and it began with what epoch 2 held.
    assert kept(CHAIN, 45) == [2, 3, 4]
    assert kept(CHAIN, 55) == [3, 4]
    assert kept(CHAIN, 5000) == [3, 4]


def test_it_says_when_more_will_have_grown_old() -> None:
    assert collect(CHAIN, START + timedelta(hours=31), DAY).again_at == START + timedelta(hours=34)
    assert collect(CHAIN, START + timedelta(hours=45), DAY).again_at == START + timedelta(hours=54)
    assert collect(CHAIN, START + timedelta(hours=5000), DAY).again_at is None


def test_nothing_goes_before_the_newest_can_be_restored_itself() -> None:
    assert kept(record(*CHAIN.lineage[:-1], entry(4, 30, 3, replicated=False)), 5000) == [1, 2, 3, 4]


def test_a_life_that_has_sealed_collects_nothing() -> None:
    over = replace(CHAIN, state=State.SEALED, seal_reason=SealReason.STOPPED)
    assert kept(over, 5000) == [1, 2, 3, 4]


def test_an_epoch_that_acknowledged_nothing_and_handed_nothing_on_goes_at_once() -> None:
    current = record(entry(1, 0), entry(2, 1, 1, replicated=False), entry(3, 2, 1))
    assert kept(current, 3) == [1, 3]


def test_an_epoch_without_the_flag_that_another_rests_on_counts_like_one_with_it() -> None:
    current = record(entry(1, 0), entry(2, 1, 1, replicated=False), entry(3, 2, 2))
    assert kept(current, 3) == [1, 2, 3]


def copy(epoch: int, hours: float, base: int, base_txid: int = 1) -> LineageEntry:
    """A life that restored and changed nothing, as far as is known."""
    found = Base(prefix(base), base, base_txid)
    return replace(entry(epoch, hours), base=found, copies_base=True)


def test_a_life_that_changed_nothing_goes_at_once_and_its_successor_begins_where_it_did() -> None:
    first, second = entry(1, 0), copy(2, 1, 1, base_txid=7)
    current = record(first, second, entry(3, 2, 2))
    collected = collect(current, START + timedelta(hours=3), DAY)
    assert collected.lineage == (first, replace(entry(3, 2), base=second.base))
    assert collected.copies == {prefix(2)}
    assert pruned(current, collected.lineage).lineage == collected.lineage


def test_of_many_lives_that_changed_nothing_only_the_first_copy_and_the_newest_stay() -> None:
    first = copy(2, 1, 1, base_txid=7)
    current = record(entry(1, 0), first, copy(3, 2, 2), copy(4, 3, 3), copy(5, 4, 4))
    collected = collect(current, START + timedelta(hours=5), DAY)
    assert collected.lineage == (entry(1, 0), replace(copy(5, 4, 4), base=first.base))
    assert collected.copies == {prefix(2), prefix(3), prefix(4)}


def test_the_first_copy_stays_for_as_long_as_its_content_was_current() -> None:
    current = record(entry(1, 0), copy(2, 1, 1), entry(3, 20, 2), entry(4, 30, 3))
    left = collect(current, START + timedelta(hours=43), DAY)
    assert [one.epoch for one in left.lineage] == [1, 3, 4], "a day before, at hour 19, epoch 2 was current"
    assert left.again_at == START + timedelta(hours=44)


def test_a_copy_that_was_written_to_later_or_that_nobody_else_has_stays() -> None:
    went_on = record(entry(1, 0), copy(2, 1, 1), replace(entry(3, 2), base=Base(prefix(2), 2, 2)))
    assert collect(went_on, START + timedelta(hours=3), DAY).lineage == went_on.lineage
    of_a_fork = replace(copy(1, 0, 1), base=Base("source/epochs/00000007-other", 7, 3))
    forked = record(of_a_fork, entry(2, 1, 1))
    assert collect(forked, START + timedelta(hours=3), DAY).lineage == forked.lineage
    unwritten = record(entry(1, 0), copy(2, 1, 1), replace(entry(3, 2, 2), replicated=False))
    assert collect(unwritten, START + timedelta(hours=3), DAY).lineage == unwritten.lineage


def test_given_up_data_stays_for_as_long_as_the_retention_says() -> None:
    current = record(entry(1, 0), entry(2, 10))
    assert kept(current, 11) == [1, 2]
    assert kept(current, 35) == [2]


def test_the_base_of_a_fork_lies_elsewhere_and_is_left_alone() -> None:
    first = replace(entry(1, 0), base=Base("source/epochs/00000007-other", 7, 3))
    assert kept(record(first), 5000) == [1]


def test_a_time_that_cannot_be_read_keeps_its_epoch() -> None:
    current = record(entry(1, 0), replace(entry(2, 10, 1), claimed_at="yesterday"), entry(3, 20, 2))
    assert kept(current, 5000) == [2, 3]
    without_any = [replace(one, claimed_at=None) for one in current.lineage]
    assert kept(record(*without_any), 5000) == [1, 2, 3]


def test_only_older_epochs_that_nothing_names_are_leftovers() -> None:
    current = record(entry(3, 20), entry(4, 30, 3))
    assert is_leftover(f"{prefix(2)}/0000/1.ltx", current)
    assert is_leftover(f"{prefix(3)}-again/0000/1.ltx", current)
    assert not is_leftover(f"{prefix(3)}/0000/1.ltx", current)
    assert not is_leftover(f"{prefix(4)}-again/0000/1.ltx", current)
    assert not is_leftover(f"{prefix(5)}/0000/1.ltx", current)
    assert not is_leftover("w/epochs/notes.txt", current)


@st.composite
def lineages(draw: st.DrawFn) -> Current:
    """Each epoch began from an earlier one, some time after it, and most came to hold data."""
    entries: list[LineageEntry] = []
    hours = 0.0
    for epoch in range(1, draw(st.integers(1, 7)) + 1):
        hours += draw(st.integers(0, 40))
        held: list[int | None] = [None, *(one.epoch for one in entries if one.replicated)]
        entries.append(entry(epoch, hours, held[-1], draw(st.booleans())))
    return record(*entries)


@given(current=lineages(), hours=st.integers(0, 400), retention=st.integers(0, 200))
def test_what_held_the_data_at_any_promised_moment_and_its_base_stay(
    current: Current, hours: int, retention: int
) -> None:
    now = START + timedelta(hours=hours)
    current = current.with_entry(replicated=True)
    left = collect(current, now, retention * 3600).lineage
    promised = now - timedelta(hours=retention)
    held = [one for one in current.lineage if one.replicated]
    for one in held:
        claims = [datetime.fromisoformat(str(other.claimed_at)) for other in current.lineage if other.epoch > one.epoch]
        next_held = [datetime.fromisoformat(str(other.claimed_at)) for other in held if other.epoch > one.epoch]
        if not next_held or next_held[0] > promised:
            assert one in left
        if not claims or claims[0] > promised:
            assert one.base is None or one.base.prefix in {other.prefix for other in left}


@given(current=lineages(), hours=st.integers(0, 400))
def test_the_next_life_begins_from_the_same_with_and_without_what_went(current: Current, hours: int) -> None:
    left = collect(current, START + timedelta(hours=hours), 0).lineage
    held = {one.epoch: int(one.replicated) for one in current.lineage}
    following = LineageEntry(current.epoch + 1, prefix(current.epoch + 1))

    def base(lineage: tuple[LineageEntry, ...]) -> object:
        step = find_base(replace(current, lineage=(*lineage, following), epoch=following.epoch), held)
        assert isinstance(step, Found)
        return step.base

    assert base(current.lineage) == base(pruned(current, left).lineage)
