"""Does the picture show each call where it was, and never too many of them?"""

from __future__ import annotations

import pytest

from dormouse.client.forks import Fork
from dormouse_observer.web.log_index import LogIndex
from dormouse_observer.web.reader import Entry
from dormouse_observer.web.timeline import Timeline, positions_of, timeline, window_of

Told = tuple[str, int, int | None]


def indexed(*told: Told) -> tuple[LogIndex, dict[int, Entry]]:
    """A log of kinds, moments and commands; its positions are 10, 20, 30 ..."""
    index, entries = LogIndex(), {}
    for number, (kind, at, command) in enumerate(told, 1):
        index.add(number * 10, kind, at, command)
        entries[number * 10] = Entry(
            number * 10, kind, at, command, f"call {command}", None, None, None, None, None, ""
        )
    return index, entries


def laid_out(*told: Told, first: int = 0, count: int = 40, until: int = 0) -> Timeline:
    index, entries = indexed(*told)
    window = window_of(index, first, count)
    assert set(positions_of(index, window)) <= set(entries)
    return timeline(index, window, entries, until)


def test_of_a_call_during_which_a_fork_was_made_its_pause_is_told() -> None:
    index, entries = indexed(
        ("ExecutionStarted", 0, None),
        ("ActivityScheduled", 0, 1),
        ("ActivityCompleted", 1000, 1),
        ("ActivityScheduled", 1500, 2),
        ("ActivityCompleted", 9500, 2),
    )
    line = timeline(index, window_of(index, 0, 40), entries, 9500, (Fork("a", 40, at=2000),))
    assert [bar.took for bar in line.bars] == ["1 ms", "8 ms, the fork's pause included"]


def test_calls_lie_where_they_were_in_time() -> None:
    line = laid_out(
        ("ExecutionStarted", 0, None),
        ("ActivityScheduled", 0, 1),
        ("TimerSet", 250, 2),
        ("ActivityCompleted", 500, 1),
        ("TimerFired", 1000, 2),
    )
    assert [(bar.kind, bar.x, bar.width, bar.state) for bar in line.bars] == [
        ("activity", 0, 50, "done"), ("timer", 25, 75, "done"),
    ]  # fmt: skip
    assert [mark.label for mark in line.marks][:2] == ["0", "+200 µs"]


def test_how_a_call_ended_shows() -> None:
    line = laid_out(
        ("ActivityScheduled", 0, 1), ("AttemptFailed", 100, 1), ("ActivityFailed", 200, 1),
        ("ApprovalRequested", 200, 2), ("ApprovalExpired", 300, 2),
        ("ChildStarted", 300, 3), ("ChildCancelled", 400, 3),
        ("ActivityScheduled", 400, 4),
        until=1000,
    )  # fmt: skip
    assert [(bar.state, bar.failures) for bar in line.bars] == [
        ("failed", 1),
        ("failed", 0),
        ("cancelled", 0),
        ("open", 0),
    ]
    assert line.bars[-1].x + line.bars[-1].width == pytest.approx(100)
    assert line.bars[-1].took == "not ended"


def test_a_retry_of_the_execution_opens_the_call_again_that_had_failed() -> None:
    index, _ = indexed(
        ("ActivityScheduled", 0, 1), ("ActivityFailed", 1, 1), ("ExecutionFailed", 2, 1), ("ExecutionRetried", 3, None),
    )  # fmt: skip
    assert (index.open, index.was_retried) == ({1: 0}, True)
    index.add(50, "ActivityCompleted", 4, 1)
    assert (index.open, index.end_of(0)) == ({}, 4)


def test_a_new_run_lets_go_of_what_the_last_one_had_begun() -> None:
    index, _ = indexed(("ActivityScheduled", 0, 1), ("ExecutionContinued", 5, None))
    assert (index.open, index.end_of(0), list(index.runs)) == ({}, 1, [1])


def test_a_very_long_log_is_shown_by_windows_that_lead_to_each_other() -> None:
    told = [
        (kind, 10 * number + end, number)
        for number in range(1000)
        for end, kind in enumerate(("ActivityScheduled", "ActivityCompleted"))
    ]
    seen, first = list[int](), 0
    while True:
        line = laid_out(*told, first=first, count=80)
        assert (
            4 * len(line.bars) + 2 * len(line.marks) + 2 * len(line.overview) + sum(len(bar.ticks) for bar in line.bars)
            < 490
        )
        seen += [bar.number for bar in line.bars]
        if line.later is None:
            break
        first = line.later
    assert seen == list(range(1000))
    assert line.earlier == first - 80
    assert sum(bucket.count for bucket in line.overview) == 1000
    assert line.overview[0].first == 0


def test_failed_attempts_without_end_are_counted_and_only_the_last_are_drawn() -> None:
    told = [("ActivityScheduled", 0, 1), *(("AttemptFailed", number, 1) for number in range(1, 5000))]
    (bar,) = laid_out(*told, until=5000).bars
    assert (bar.failures, len(bar.ticks)) == (4999, 3)


@pytest.mark.parametrize("first", [None, -5, 0, 3, 10**18])
@pytest.mark.parametrize("count", [None, -1, 0, 20, 10**18])
def test_any_window_that_is_asked_for_is_one_that_there_is(first: int | None, count: int | None) -> None:
    index, entries = indexed(*((kind, 5, number) for number in range(30) for kind in ("TimerSet", "TimerFired")))
    line = timeline(index, window_of(index, first, count), entries, 5)
    assert 1 <= len(line.bars) <= 40
    assert all(0 <= bar.x <= 100 and bar.x + bar.width <= 100.001 for bar in line.bars)


def test_a_log_without_calls_has_an_empty_picture() -> None:
    line = laid_out(("ExecutionStarted", 0, None))
    assert (line.bars, line.marks, line.overview, line.earlier, line.later) == ((), (), (), None, None)


def test_a_label_says_how_long_a_call_took_and_how_often_it_failed() -> None:
    told: list[Told] = [("ActivityScheduled", 0, 1), ("AttemptFailed", 100, 1), ("AttemptFailed", 200, 1)]
    assert laid_out(*told[:2]).bars[0].label == "call 1 · not ended · 1 failed attempt"
    assert laid_out(*told, ("ActivityCompleted", 2000, 1)).bars[0].label == "call 1 · 2 ms · 2 failed attempts"
    assert laid_out(("TimerSet", 0, 1), ("TimerFired", 7, 1)).bars[0].label == "call 1 · 7 µs"
