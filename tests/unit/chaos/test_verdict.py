"""Can the judge say no? Histories that are lost, made up, reordered, doubled, damaged or run again, each named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from history import Attempt
from verdict import Register, Restored, Started, Verdict, judge

SECOND = 10**9


def attempt(at: float, step: int, epoch: int, given: str, gives: str) -> Attempt:
    return Attempt(int(at * SECOND), step, epoch, given, gives)


GOOD = Register(
    attempts={
        0: (attempt(1, 0, 1, "start", "a"), attempt(2, 1, 1, "a", "b"), attempt(3, 2, 2, "b", "c")),
        1: (attempt(1, 0, 1, "start", "x"), attempt(2, 1, 2, "x", "y")),
    },
    started=(
        Started("client", "c-1", 1, SECOND),
        Started("client", "c-2", 2, 3 * SECOND),
        Started("zombie", "z-1", 1, 2 * SECOND),
    ),
)
KEPT = Restored(
    rows=((0, 0, "a"), (1, 0, "x"), (0, 1, "b"), (1, 1, "y")), started=("chains", "z-1", "c-1", "c-2", "c-3")
)


def sync(register: Register, restored: Restored) -> Verdict:
    return judge(register, restored, "Sync", 2)


def with_attempts(*more: Attempt) -> Register:
    return replace(GOOD, attempts={**GOOD.attempts, 0: (*GOOD.attempts[0], *more)})


def test_a_history_that_was_kept_is_kept() -> None:
    assert sync(GOOD, KEPT) == Verdict()
    assert sync(GOOD, KEPT).kept


def test_what_was_never_acknowledged_may_be_there_or_not() -> None:
    assert sync(GOOD, replace(KEPT, rows=(*KEPT.rows, (0, 2, "c")))).kept


def test_acknowledged_are_the_steps_that_had_a_successor_and_the_starts() -> None:
    assert GOOD.acknowledged() == 3 + 3


@pytest.mark.parametrize("durability", ["Sync", "Async"])
def test_a_zombie_may_repeat_the_step_that_it_was_in(durability: str) -> None:
    register = with_attempts(attempt(4, 1, 1, "a", "other"))
    assert judge(register, KEPT, "Sync" if durability == "Sync" else "Async", 2).kept


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "step 0 of chain 0 is gone, was a"),
        (((0, 0, "a"), (1, 0, "x")), "step 1 of chain 0 is gone, was b"),
        (((0, 0, "a"), (0, 1, "c"), (1, 0, "x")), "step 1 of chain 0 is c, was b"),
    ],
)
def test_an_acknowledged_step_that_is_not_there_is_lost(rows: tuple[tuple[int, int, str], ...], said: str) -> None:
    verdict = sync(GOOD, replace(KEPT, rows=rows))
    assert said in verdict.lost
    assert not verdict.kept


def test_an_acknowledged_start_that_is_not_there_is_lost() -> None:
    assert sync(GOOD, replace(KEPT, started=("z-1", "c-1"))).lost == ("start c-2 of epoch 2 is gone",)


def test_an_empty_restore_has_lost_everything() -> None:
    assert len(sync(GOOD, Restored()).lost) == GOOD.acknowledged()


def test_an_acknowledged_step_that_runs_again_is_said_even_if_its_result_stayed() -> None:
    verdict = sync(with_attempts(attempt(4, 1, 2, "a", "again")), KEPT)
    assert verdict.rerun == ("step 1 of chain 0 ran again in epoch 2",)
    assert verdict.lost == ()
    assert not verdict.kept


def test_a_step_that_ran_again_with_another_result_is_both() -> None:
    register = with_attempts(attempt(4, 1, 2, "a", "again"))
    verdict = sync(register, replace(KEPT, rows=((0, 0, "a"), (0, 1, "again"), (1, 0, "x"), (1, 1, "y"))))
    assert (len(verdict.lost), len(verdict.rerun)) == (1, 1)


@pytest.mark.parametrize(
    ("restored", "said"),
    [
        (replace(KEPT, problems=("row 7 missing from index",)), "row 7 missing"),
        (replace(KEPT, rows=((0, 1, "b"), (0, 0, "a"), (1, 0, "x"), (1, 1, "y"))), "row 0 of chain 0 is step 1"),
        (replace(KEPT, rows=((0, 0, "a"), (0, 0, "a"), (0, 1, "b"), (1, 0, "x"))), "row 1 of chain 0 is step 0"),
        (replace(KEPT, rows=((0, 0, "a"), (0, 2, "b"), (1, 0, "x"))), "row 1 of chain 0 is step 2"),
        (replace(KEPT, rows=(*KEPT.rows, (0, 2, "nobody's"))), "nobody's is the result of no attempt"),
        (replace(KEPT, rows=(*KEPT.rows, (7, 0, "a"))), "step 0 of chain 7 a is the result of no attempt"),
        (replace(KEPT, started=(*KEPT.started, "c-1")), "an execution is there twice"),
        (replace(KEPT, started=("z-1", "c-2", "c-1")), "start c-2 stands before c-1"),
    ],
)
@pytest.mark.parametrize("durability", ["Sync", "Async"])
def test_what_is_no_history_is_corrupt(restored: Restored, said: str, durability: str) -> None:
    verdict = judge(GOOD, restored, "Sync" if durability == "Sync" else "Async", 2)
    assert any(said in each for each in verdict.corrupt), verdict
    assert not verdict.kept


LONG = Register(
    attempts={
        0: (
            attempt(1, 0, 1, "start", "a"),
            attempt(2, 1, 1, "a", "b"),
            attempt(3, 2, 1, "b", "c"),
            attempt(5, 3, 1, "c", "d"),
            attempt(6, 1, 2, "a", "B"),
            attempt(7, 2, 2, "B", "C"),
        )
    }
)


def test_async_may_lose_what_was_acknowledged_within_the_bound() -> None:
    restored = Restored(rows=((0, 0, "a"), (0, 1, "B")))
    verdict = judge(LONG, restored, "Async", 2)
    assert verdict.kept
    assert len(verdict.forgiven) == 2
    assert not sync(LONG, restored).kept


def test_async_may_not_lose_more_than_the_bound() -> None:
    verdict = judge(LONG, Restored(rows=((0, 0, "a"), (0, 1, "B"))), "Async", 1.5)
    assert len(verdict.lost) == 2
    assert verdict.forgiven == ()


def test_async_may_not_run_again_what_was_not_lost() -> None:
    verdict = judge(with_attempts(attempt(4, 1, 2, "a", "again")), KEPT, "Async", 2)
    assert verdict.rerun == ("step 1 of chain 0 ran again in epoch 2",)
