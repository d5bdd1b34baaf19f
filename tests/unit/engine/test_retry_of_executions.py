"""Does a retry of an execution begin each call once, under a key of its own?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dormouse import (
    ActivityError,
    Engine,
    ExecutionFailed,
    RetryPolicy,
    Signal,
    Update,
    activity,
    activity_info,
    workflow,
)
from dormouse.client.file import DatabaseFile
from dormouse.engine.journal import Kind
from dormouse.engine.log import what_counts

began: list[tuple[str, str]] = []
broken = [True]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    began.clear()
    broken[0] = True


def calls_of_a_key() -> int:
    """For how many different calls the same key stood, at most."""
    return max(len({name for name, key in began if key == one}) for _, one in began)


@activity(retry=RetryPolicy(attempts=1))
async def step(name: str) -> str:
    began.append((name, activity_info().idempotency_key))
    await asyncio.sleep(0)
    if name == "a" and broken[0]:
        raise ValueError("not today")
    return name


@workflow
async def both() -> list[str]:
    async def b_then_c() -> str:
        return await step("b") + await step("c")

    return list(await asyncio.gather(b_then_c(), step("a")))


def test_a_call_whose_row_was_taken_back_begins_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with Engine(tmp_path / "db.sqlite", [both]) as engine:
            handle = await engine.start(both, id="one")
            with pytest.raises(ExecutionFailed):
                await handle.result()
            broken[0] = False
            began.clear()
            await handle.retry()
            assert await handle.result() == ["bc", "a"]

    asyncio.run(story())
    assert sorted(name for name, _ in began) == ["a", "c"]
    assert calls_of_a_key() == 1


stop = Signal("stop", str)
double = Update("double", int, int)


@workflow
async def answers() -> str:
    async def doubled(number: int) -> int:
        await step(f"double {number}")
        return 2 * number

    double.answer(doubled)
    try:
        await step("a")
    except ActivityError:
        await stop.receive()
        raise
    return await step("last")


def test_updates_that_are_told_again_take_no_number_of_another_call(tmp_path: Path) -> None:
    async def story() -> None:
        async with Engine(tmp_path / "db.sqlite", [answers]) as engine:
            handle = await engine.start(answers, id="one")
            await engine.settled()
            assert await handle.update(double, 4, idempotency_key="four") == 8
            await handle.signal(stop, "now")
            with pytest.raises(ExecutionFailed):
                await handle.result()
            broken[0] = False
            await handle.retry()
            assert await handle.result() == "last"
            assert await handle.update(double, 4, idempotency_key="four") == 8

    asyncio.run(story())
    assert calls_of_a_key() == 1
    with DatabaseFile(tmp_path / "db.sqlite") as file:
        counts = [event.kind for event in what_counts(file.events(file.row("one")))]
    # The retry says up to where numbers have been given: what takes one comes after it.
    assert counts.index(Kind.EXECUTION_RETRIED) < counts.index(Kind.UPDATE_ACCEPTED)
