"""Does the code ask for what the log says it asked for? Replays of a log by other code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from execution_lab import T0, Run, let_all_go, work

from dormouse import Workflow, activity, patched, workflow
from dormouse.engine.calls import ActivityCall
from dormouse.engine.clock import SECOND
from dormouse.engine.ending import Status
from dormouse.engine.payload import encode


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    yield
    let_all_go()


@activity
async def other(what: str) -> str:
    return what


async def _in_order() -> None:
    await work("a")
    await work("b")


async def _renamed() -> None:
    await other("a")
    await work("b")


async def _changed() -> None:
    await work("A")
    await work("b")


async def _swapped() -> None:
    await work("b")
    await work("a")


async def _slept() -> None:
    await asyncio.sleep(1)
    await work("b")


async def _ended() -> None: ...


async def _ended_early() -> None:
    await work("a")


@pytest.mark.parametrize("changed", [_renamed, _changed, _swapped, _slept, _ended, _ended_early])
def test_code_that_goes_another_way_is_blocked_and_nothing_of_it_is_done(changed: Callable[..., Any]) -> None:
    run = Run(workflow(_in_order))
    run.complete("a")
    again = Run(workflow(changed), run.log)
    assert again.execution.blocked is not None
    assert again.execution.blocked.reason == "NonDeterministic"
    assert again.batch.begun == []
    assert again.batch.resumed == []


def test_a_mismatch_names_both_sides_and_both_lines() -> None:
    run = Run(workflow(_in_order))
    again = Run(workflow(_swapped), run.log)
    blocked = again.execution.blocked
    assert blocked is not None
    assert blocked.expected == 'ActivityScheduled work["a"] as number 1'
    assert blocked.actual == 'ActivityScheduled work["b"] as number 1'
    for source in (blocked.expected_source, blocked.actual_source):
        assert source is not None
        assert source.startswith("test_mismatch.py:")
        assert source in blocked.message


def test_code_that_is_right_again_goes_on() -> None:
    run = Run(workflow(_in_order))
    run.complete("a")
    assert Run(workflow(_swapped), run.log).execution.blocked is not None
    again = Run(workflow(_in_order), run.log)
    again.complete("b")
    assert again.execution.status == Status.COMPLETED


def test_a_sleep_may_become_longer_without_blocking() -> None:
    def sleeping(seconds: float) -> Workflow[..., Any]:
        async def nap() -> None:
            await asyncio.sleep(seconds)

        return workflow(nap)

    run = Run(sleeping(10))
    again = Run(sleeping(20), run.log)
    again.ring()
    assert again.now == T0 + 10 * SECOND
    assert again.execution.status == Status.COMPLETED


async def _work_was_put_in() -> None:
    await other("now")
    await asyncio.gather(work("a"), work("b"))


async def _gathered() -> None:
    await asyncio.gather(work("a"), work("b"))


async def _first_was_taken_out() -> None:
    await work("b")


async def _two_kinds() -> None:
    await other("x")
    await work("a")


async def _other_was_taken_out() -> None:
    await work("a")


async def _two_kinds_swapped() -> None:
    await work("a")
    await other("x")


def _suggested(first: Callable[..., Any], changed: Callable[..., Any], *done: str) -> str | None:
    """Without its first two lines, which are always the same, and the lines of the code."""
    run = Run(workflow(first))
    for one in done:
        run.complete(one)
    blocked = Run(workflow(changed), run.log).execution.blocked
    assert blocked is not None
    if blocked.suggestion is None:
        return None
    head, suggested = blocked.suggestion.split("\n\n")
    assert head == "from dormouse import patched"
    return re.sub(r"  # test_mismatch.py:\d+", "", suggested)


def test_a_call_that_was_put_in_is_suggested_without_an_else() -> None:
    suggested = 'if patched("other-1"):\n    await other("now")'
    assert _suggested(_gathered, _work_was_put_in) == suggested
    assert _suggested(_gathered, _work_was_put_in, "a") == suggested


def test_a_call_that_was_taken_out_is_suggested_for_old_executions() -> None:
    taken_out = 'if not patched("without-work-1"):\n    await work("a")'
    assert _suggested(_in_order, _ended) == taken_out
    assert _suggested(_in_order, _first_was_taken_out, "a") == taken_out
    assert _suggested(_two_kinds, _other_was_taken_out, "x") == (
        'if not patched("without-other-1"):\n    await other("x")'
    )


def test_a_call_that_was_replaced_has_the_old_one_as_its_else() -> None:
    assert _suggested(_in_order, _changed) == 'if patched("work-1"):\n    await work("A")\nelse:\n    await work("a")'
    assert _suggested(_ended_early, _alone) == (
        'if patched("other-1"):\n    await other("a")\nelse:\n    await work("a")'
    )


async def _alone() -> None:
    await other("a")


async def _says_much() -> None:
    await work("so much is the same " * 20 + "and then tea")


async def _says_another_thing_in_the_end() -> None:
    await work("so much is the same " * 20 + "and then coffee")


def test_what_differs_behind_what_is_shown_is_shown_too_and_nothing_is_suggested_that_looks_the_same() -> None:
    blocked = Run(workflow(_says_another_thing_in_the_end), Run(workflow(_says_much)).log).execution.blocked
    assert blocked is not None
    assert blocked.expected != blocked.actual
    assert (blocked.expected or "").endswith('is the same and then tea" at $[0]')
    assert 'and then coffee" at $[0]' in blocked.message
    assert blocked.suggestion is None


def test_where_nobody_can_know_whether_it_was_put_in_or_replaced_both_are_shown() -> None:
    assert _suggested(_in_order, _renamed) == (
        "# when other was put in before work:\n"
        'if patched("other-1"):\n    await other("a")\n'
        "# when other replaces work:\n"
        'if patched("other-1"):\n    await other("a")\nelse:\n    await work("a")'
    )


def test_for_another_order_nothing_is_suggested() -> None:
    assert _suggested(_two_kinds, _two_kinds_swapped, "x") is None


def test_a_helper_of_the_module_counts_as_the_workflows_code() -> None:
    assert _suggested(_gathered, _helped) == 'if patched("other-1"):\n    await other("now")'


async def _helped() -> None:
    await other("now")
    await _helper()


async def _helper() -> None:
    await asyncio.gather(work("a"), work("b"))


async def _raises() -> None:
    await unheard_of("a")  # type: ignore[name-defined] # noqa: F821


async def _raises_and_goes_on() -> None:
    try:
        await unheard_of("a")  # type: ignore[name-defined] # noqa: F821
    except Exception:  # noqa: BLE001
        await other("sorry")


def test_an_exception_before_the_logged_call_is_what_is_told_and_nothing_is_suggested() -> None:
    log = Run(workflow(_in_order)).log
    blocked = Run(workflow(_raises), log).execution.blocked
    assert blocked is not None
    assert blocked.actual == "raised NameError: name 'unheard_of' is not defined"
    assert re.search(
        r'log says ActivityScheduled work\["a"\] as number 1 at test_mismatch.py:\d+, the code raised NameError: '
        r"name 'unheard_of' is not defined \(test_mismatch.py:\d+\) before it asked for that. Mend the code",
        blocked.message,
    )
    assert blocked.actual_source is not None
    assert blocked.suggestion is None


def test_an_exception_that_the_code_handles_by_another_call_is_told_too() -> None:
    blocked = Run(workflow(_raises_and_goes_on), Run(workflow(_in_order)).log).execution.blocked
    assert blocked is not None
    assert "while it handles NameError: name 'unheard_of' is not defined (test_mismatch.py:" in blocked.message
    assert blocked.suggestion is None


async def _patched() -> None:
    if patched("other-1"):
        await other("now")
    await asyncio.gather(work("a"), work("b"))


def test_the_suggestion_lets_it_go_on() -> None:
    run = Run(workflow(_gathered))
    again = Run(workflow(_patched), run.log)
    again.complete("a")
    again.complete("b")
    assert again.execution.status == Status.COMPLETED


@dataclass
class _Address:
    street: str


@dataclass
class _Grown:
    street: str
    city: str


@dataclass
class _GrownWell:
    street: str
    city: str = ""


def _looks_up(kind: type) -> Workflow[..., Any]:
    async def find(what: str) -> Any:
        raise AssertionError(what)

    find.__annotations__["return"] = kind
    found = activity(find)

    async def finds() -> None:
        await found("x")
        await work("b")

    return workflow(finds)


def test_a_result_that_its_type_does_not_take_any_more_is_named_with_type_and_remedy() -> None:
    run = Run(_looks_up(_Address))
    (call,) = run.execution.pending.values()
    assert isinstance(call, ActivityCall)
    run.execution.completed(call, encode(_Address("a")), _Address("a"), T0)
    run.settle()
    blocked = Run(_looks_up(_Grown), run.log).execution.blocked
    assert blocked is not None
    assert blocked.message.startswith(
        "the result of find (ActivityCompleted as number 1) does not fit its type _Grown any more: Object missing "
        "required field `city`. What the log holds stays as it is, so a type may only grow by fields with defaults"
    )
    assert Run(_looks_up(_GrownWell), run.log).open_calls == ["b"]
