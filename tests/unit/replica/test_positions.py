"""Which positions can be restored, and which one is meant by a time?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse.replica.current import Base, Current, LineageEntry, Position, SealReason, State
from dormouse.replica.history import AskFiles, AskWritten, File, Oldest, Resolved, history, oldest, resolve, restorable
from dormouse.replica.layout import HEADER_BYTES, written_at
from dormouse.replica.refusal import Reason, Refused

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def entry(epoch: int, claimed: float, base: Base | None = None, sealed_txid: int | None = None) -> LineageEntry:
    return LineageEntry(epoch, f"w/epochs/{epoch}", minute(claimed).isoformat(), base, True, sealed_txid)


def record(*entries: LineageEntry) -> Current:
    return Current(1, "n", "w", "i", entries[-1].epoch, "me", State.ACTIVE, lineage=entries)


def each(epoch: int, *moments: float) -> list[File]:
    """A file for each transaction, stored when it was written."""
    return [File(f"{epoch}:{txid}", txid, txid, minute(at)) for txid, at in enumerate(moments, 1)]


def found(
    current: Current, at: Position | datetime | None, files: dict[int, list[File]], written: dict[str, datetime]
) -> Base:
    """Answer every question, each once."""
    known: dict[str, list[File]] = {}
    times: dict[str, datetime] = {}
    while True:
        step = resolve(current, at, known, times)
        if isinstance(step, Resolved):
            return step.base
        if isinstance(step, AskFiles):
            assert step.entry.prefix not in known
            known[step.entry.prefix] = files.get(step.entry.epoch, [])
        else:
            assert isinstance(step, AskWritten)
            assert step.file.key not in times
            times[step.file.key] = written[step.file.key]


def refused(current: Current, at: Position | datetime | None, files: dict[int, list[File]]) -> str:
    with pytest.raises(Refused) as caught:
        found(current, at, files, {file.key: file.stored_by for held in files.values() for file in held})
    assert caught.value.refusal.reason is Reason.RESTORE_OUTSIDE_WINDOW
    return caught.value.refusal.message


TWO_LIVES = record(entry(1, 0), entry(2, 10, Base("w/epochs/1", 1, 3)))
FILES = {1: each(1, 1, 2, 3, 11, 12), 2: each(2, 11, 14, 20)}  # 1/4 and 1/5 are a zombie's


def test_without_a_time_it_is_the_newest_position() -> None:
    assert found(TWO_LIVES, None, FILES, {}) == Base("w/epochs/2", 2, 3)


@pytest.mark.parametrize(
    ("at", "expected"),
    [(1, (1, 1)), (2.5, (1, 2)), (9, (1, 3)), (10.5, (1, 3)), (11, (2, 1)), (13, (2, 1)), (14, (2, 2)), (99, (2, 3))],
)
def test_a_time_means_the_last_transaction_by_then(at: float, expected: tuple[int, int]) -> None:
    written = {file.key: file.stored_by for held in FILES.values() for file in held}
    base = found(TWO_LIVES, minute(at), FILES, written)
    assert (base.epoch, base.txid) == expected


def test_what_a_zombie_uploaded_beyond_the_cap_is_never_meant_by_a_time_nor_by_a_position() -> None:
    written = {"1:4": minute(4), "1:5": minute(5), "2:1": minute(11)}  # its clock may say anything
    assert found(TWO_LIVES, minute(10.5), FILES, written) == Base("w/epochs/1", 1, 3)
    assert "that epoch ends at 1/3" in refused(TWO_LIVES, Position(1, 4), FILES)


def test_an_epoch_that_left_no_trace_in_history_cannot_be_chosen() -> None:
    forked_past = record(entry(1, 0), entry(2, 5), entry(3, 10, Base("w/epochs/1", 1, 2)))
    assert [segment.entry.epoch for segment in history(forked_past)] == [3, 1]
    assert "its epochs are: 1, 3" in refused(forked_past, Position(2, 1), FILES)


def test_the_seal_of_the_last_life_ends_history() -> None:
    sealed = Current(
        *(1, "n", "w", "i", 1, "me", State.SEALED, SealReason.STOPPED), lineage=(entry(1, 0, sealed_txid=3),)
    )
    assert found(sealed, None, {1: each(1, 1, 2, 3, 4)}, {}) == Base("w/epochs/1", 1, 3)


def test_a_claim_that_has_no_pin_yet_holds_nothing() -> None:
    claimed = record(entry(1, 0), LineageEntry(2, "w/epochs/2"))
    assert found(claimed, None, {1: each(1, 1, 2)}, {}) == Base("w/epochs/1", 1, 2)


def test_an_upload_that_came_late_still_belongs_to_the_time_at_which_it_was_written() -> None:
    late = {1: [File("first", 1, 1, minute(1)), File("late", 2, 2, minute(30)), File("later", 3, 3, minute(31))]}
    written = {"late": minute(5), "later": minute(29)}
    assert found(record(entry(1, 0)), minute(6), late, written) == Base("w/epochs/1", 1, 2)


def test_a_node_whose_clock_is_ahead_does_not_hide_what_the_store_had_already() -> None:
    assert found(record(entry(1, 0)), minute(3), {1: each(1, 1, 2)}, {"1:1": minute(600)}) == Base("w/epochs/1", 1, 2)


def test_a_time_before_all_that_is_kept_is_refused_with_the_time_from_which_on_it_would_do() -> None:
    pruned = record(entry(2, 10, Base("w/epochs/1", 1, 3)), entry(3, 20, Base("w/epochs/2", 2, 2)))
    said = refused(pruned, minute(5), {2: each(2, 11, 12), 3: each(3, 21)})
    assert "begins after 2026-05-01T12:10:00.000Z; choose a later time" in said


def test_a_source_that_never_wrote_anything_is_refused() -> None:
    assert "holds no data yet" in refused(record(LineageEntry(1, "w/epochs/1")), minute(5), {})


def test_a_position_that_compaction_merged_is_refused_with_those_beside_it() -> None:
    merged = {1: [File("s", 1, 2, minute(2)), File("c", 3, 6, minute(6)), File("l", 7, 7, minute(7))]}
    assert "the nearest are: 1/2 and 1/6" in refused(record(entry(1, 0)), Position(1, 4), merged)
    assert found(record(entry(1, 0)), Position(1, 6), merged, {}) == Base("w/epochs/1", 1, 6)


def test_a_position_after_the_newest_is_refused_with_the_newest() -> None:
    assert refused(record(entry(1, 0)), Position(1, 9), {1: each(1, 1, 2, 3)}) == (
        "1/9 lies after 1/3, the newest position that the store holds; choose 1/3"
    )


def test_what_lies_beyond_a_gap_can_be_restored_only_from_a_snapshot_on() -> None:
    files = [File("a", 1, 1, minute(1)), File("b", 3, 3, minute(3)), File("snapshot", 1, 4, minute(4))]
    files.append(File("d", 5, 5, minute(5)))
    assert [file.last for file in restorable(files, None)] == [1, 4, 5]


def test_of_two_files_that_end_alike_the_one_that_was_stored_first_tells_the_time() -> None:
    files = [File("compacted", 1, 2, minute(5)), File("first", 1, 1, minute(1)), File("second", 2, 2, minute(2))]
    assert [file.key for file in restorable(files, None)] == ["first", "second"]


def test_the_window_begins_with_the_oldest_position_of_the_oldest_epoch_that_still_has_one() -> None:
    known: dict[str, list[File]] = {}
    while isinstance(step := oldest(TWO_LIVES, known), AskFiles):
        known[step.entry.prefix] = {2: each(2, 11, 14)}.get(step.entry.epoch, [])
    assert step == Oldest(Position(2, 1), File("2:1", 1, 1, minute(11)))
    assert oldest(record(LineageEntry(1, "w/epochs/1")), {}) is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8), st.floats(0, 110), st.integers(1, 8))
def test_later_times_never_mean_earlier_positions(moments: list[float], at: float, cap: int) -> None:
    current = record(entry(1, 0), entry(2, 101, Base("w/epochs/1", 1, min(cap, len(moments)))))
    files = {1: each(1, *sorted(moments)), 2: each(2, 102)}
    written = {file.key: file.stored_by for held in files.values() for file in held}

    def position(moment: float) -> tuple[int, int]:
        try:
            base = found(current, minute(moment), files, written)
        except Refused:
            return 0, 0
        return base.epoch, base.txid

    assert position(at) <= position(at + 1)
    assert position(at)[0] == 2 or position(at)[1] <= cap


def test_the_time_of_a_transaction_stands_in_the_header_of_its_file() -> None:
    header = bytes.fromhex(
        "4c54583100000002000010000000000600000000000000010000000000000002000001a203091eba0000000000000000"
    )
    assert written_at(header) == datetime(2026, 11, 22, 11, 34, 19, 66000, tzinfo=UTC)
    assert written_at(header[: HEADER_BYTES - 1]) is None
    assert written_at(b"SQLite format 3" + header) is None


def test_what_a_life_only_copied_is_restored_from_where_it_was_written_first() -> None:
    first = Base("w/epochs/1", 1, 3)
    copied = replace(entry(2, 10, first), copies_base=True)
    again = replace(entry(3, 20, Base("w/epochs/2", 2, 1)), copies_base=True)
    files = {1: each(1, 1, 2, 3, 4), 2: each(2, 11), 3: each(3, 21, 22)}
    idle = record(entry(1, 0), copied, again)
    assert found(idle, Position(2, 1), files, {}) == first
    assert found(idle, minute(15), files, {}) == first
    assert found(idle, Position(3, 1), files, {}) == first
    assert found(idle, None, files, {}) == Base("w/epochs/3", 3, 2)


def test_the_first_transaction_of_a_life_that_acknowledged_nothing_yet_is_refused_by_its_position() -> None:
    """It may be found to be a copy, and go from under the fork; what it began from stays."""
    newest = replace(entry(2, 10, Base("w/epochs/1", 1, 3)), replicated=False)
    files = {1: each(1, 1, 2, 3), 2: each(2, 11, 12)}
    begun = record(entry(1, 0), newest)
    assert refused(begun, Position(2, 1), files) == (
        "2/1 was never acknowledged: it may turn out to be a copy of 1/3, and go; choose 1/3, or let the source run "
        "until its first transaction is acknowledged"
    )
    assert found(begun, Position(2, 2), files, {}) == Base("w/epochs/2", 2, 2)
    marked = record(entry(1, 0), replace(newest, replicated=True))
    assert found(marked, Position(2, 1), files, {}) == Base("w/epochs/2", 2, 1)
    first_life = record(replace(entry(1, 0), replicated=False))
    assert found(first_life, Position(1, 1), files, {}) == Base("w/epochs/1", 1, 1)
