"""Does the code ask for what the log says it asked for? Replays of a log by other code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from execution_lab import T0, Run, let_all_go, work

from dormouse import Workflow, activity, patched, workflow
from dormouse.engine.clock import SECOND
from dormouse.engine.ending import Status


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


@pytest.mark.parametrize(
    ("changed", "suggested"),
    [
        (
            _renamed,
            r'if patched\("other-1"\):\n    await other\("a"\)  # test_mismatch.py:\d+\nelse:\n    await work\("a"\)',
        ),
        (_slept, r'if patched\("sleep-1"\):\n    await asyncio.sleep\(...\)  # .*\nelse:\n    await work\("a"\)'),
        (_ended, r'if not patched\("without-work-1"\):\n    await work\("a"\)'),
    ],
)
def test_a_mismatch_suggests_code_that_goes_both_ways(changed: Callable[..., Any], suggested: str) -> None:
    blocked = Run(workflow(changed), Run(workflow(_in_order)).log).execution.blocked
    assert blocked is not None
    assert re.fullmatch(suggested, blocked.suggestion or "")


async def _patched() -> None:
    if patched("other-1"):
        await other("a")
    else:
        await work("a")
    await work("b")


def test_the_suggestion_lets_it_go_on() -> None:
    run = Run(workflow(_in_order))
    again = Run(workflow(_patched), run.log)
    again.complete("a")
    again.complete("b")
    assert again.execution.status == Status.COMPLETED
