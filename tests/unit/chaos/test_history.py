"""Does the checker see what it must see? It is what the proof of durability rests on."""

from __future__ import annotations

from history import Attempt, losses, lost_spans_seconds


def attempts(*rows: tuple[int, int, str, str]) -> list[Attempt]:
    """Rows of step, epoch, token given, token gives; a second apart."""
    return [Attempt(number * 10**9, *row) for number, row in enumerate(rows, 1)]


def test_an_undisturbed_run_has_no_loss() -> None:
    assert losses(attempts((0, 1, "start", "a"), (1, 1, "a", "b")), ["a", "b"]) == []


def test_an_attempt_that_was_never_acknowledged_may_run_again() -> None:
    seen = attempts((0, 1, "start", "a"), (1, 1, "a", "b"), (1, 2, "a", "c"))
    assert losses(seen, ["a", "c"]) == []


def test_an_acknowledged_step_that_runs_again_is_a_loss() -> None:
    seen = attempts((0, 1, "start", "a"), (1, 1, "a", "b"), (0, 2, "start", "x"), (1, 2, "x", "y"))
    assert [(loss.step, loss.epoch, loss.kind) for loss in losses(seen, ["x", "y"])] == [
        (0, 1, "run again"),
        (0, 1, "lost"),
    ]


def test_an_acknowledged_step_that_is_missing_at_the_end_is_a_loss() -> None:
    assert [loss.why for loss in losses(attempts((0, 1, "start", "a"), (1, 1, "a", "b")), [])] == ["is gone, was a"]


def test_a_zombie_may_repeat_the_step_it_was_in() -> None:
    seen = attempts((0, 1, "start", "a"), (1, 1, "a", "b"), (1, 2, "a", "c"), (2, 2, "c", "d"), (1, 1, "a", "e"))
    assert losses(seen, ["a", "c", "d"]) == []


def test_a_zombie_that_goes_on_is_a_loss() -> None:
    seen = attempts((0, 1, "start", "a"), (0, 2, "start", "x"), (1, 1, "a", "b"), (1, 2, "x", "y"))
    assert [loss.why for loss in losses(seen, ["x", "y"])] == ["is x, was a"]


def test_a_result_that_nobody_computed_is_a_loss() -> None:
    assert [loss.why for loss in losses(attempts((0, 1, "start", "a")), ["z"])] == ["z is the result of no attempt"]


def test_the_span_of_a_loss_is_counted_per_life() -> None:
    seen = attempts(
        (0, 1, "start", "a"), (1, 1, "a", "b"), (2, 1, "b", "c"),
        (0, 2, "start", "x"), (1, 2, "x", "y"), (2, 2, "y", "z"),
    )  # fmt: skip
    assert lost_spans_seconds(losses(seen, ["x", "y", "z"])) == {1: 1.0}
