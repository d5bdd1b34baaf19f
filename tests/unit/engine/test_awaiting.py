"""Which calls has a workflow made and forgotten to await?"""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest

from dormouse import Engine, ExecutionBlocked, Workflow, activity, workflow

ran: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_has_run() -> None:
    ran.clear()


@activity
async def charge(what: str) -> str:
    ran.append(what)
    return what


@workflow
async def part() -> None:
    await charge("part")


def outcome(path: Path, definition: Workflow[[], Any]) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", [definition, part]) as engine:
            return await (await engine.start(definition, id="one")).result()

    return asyncio.run(run())


def test_a_forgotten_await_blocks_the_execution_and_says_so_in_each_life(tmp_path: Path) -> None:
    @workflow
    async def forgetful() -> str:
        await charge("first")
        charge("second")  # type: ignore[unused-coroutine]
        return "done"

    for _ in range(2):
        with pytest.raises(ExecutionBlocked, match=r"never awaited charge at test_awaiting\.py:\d+, .*await charge\("):
            outcome(tmp_path, forgetful)
    assert ran == ["first"]


def test_once_the_await_is_there_the_execution_goes_on(tmp_path: Path) -> None:
    async def pay() -> str:
        await charge("first")
        charge("second")  # type: ignore[unused-coroutine]
        return "done"

    with pytest.raises(ExecutionBlocked):
        outcome(tmp_path, workflow(pay))

    async def mended() -> str:
        await charge("first")
        return await charge("second")

    mended.__name__ = "pay"
    assert outcome(tmp_path, workflow(mended)) == "second"
    assert ran == ["first", "second"]


def test_a_workflow_that_another_calls_must_be_awaited_too(tmp_path: Path) -> None:
    @workflow
    async def whole() -> None:
        await part()
        part()  # type: ignore[unused-coroutine]

    with pytest.raises(ExecutionBlocked, match="never awaited part"):
        outcome(tmp_path, whole)
    assert ran == ["part"]


def test_a_call_that_is_not_wanted_any_more_is_not_forgotten(tmp_path: Path) -> None:
    @workflow
    async def choosy() -> str:
        charge("closed").close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(charge("late"), 0)
        task = asyncio.ensure_future(charge("cancelled"))
        task.cancel()
        return "done"

    assert outcome(tmp_path, choosy) == "done"
    assert ran == []


def test_a_workflow_that_raises_fails_whatever_it_has_forgotten(tmp_path: Path) -> None:
    @workflow
    async def broken() -> None:
        charge("forgotten")  # type: ignore[unused-coroutine]
        raise ValueError("no")

    with pytest.raises(Exception, match="ValueError: no"):
        outcome(tmp_path, broken)


def test_tasks_that_are_left_behind_are_told_with_the_lines_at_which_they_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def in_the_background() -> None:
        await asyncio.sleep(1000)

    @workflow
    async def leaves() -> str:
        left = [asyncio.create_task(in_the_background()), asyncio.create_task(charge("late"))]  # noqa: F841
        return await charge("first")

    assert outcome(tmp_path, leaves) == "first"
    (told,) = [one.getMessage() for one in caplog.records if one.name == "dormouse.workflow"]
    assert re.search(r"'one' has ended and leaves .* at test_awaiting.py:\d+, test_awaiting.py:\d+; nothing", told)


def test_tasks_that_were_awaited_or_cancelled_are_nothing_to_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @workflow
    async def tidy() -> str:
        unwanted = asyncio.create_task(asyncio.sleep(1000))
        other = asyncio.create_task(charge("first"))
        await asyncio.sleep(0)
        unwanted.cancel()
        return await other

    assert outcome(tmp_path, tidy) == "first"
    assert "leaves behind" not in caplog.text
