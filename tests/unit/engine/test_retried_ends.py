"""Does an execution that ended badly go on after a retry, where it was and with what it has?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from ends_lab import (
    broken,
    drive,
    heeds,
    note,
    nothing_ran,
    ran,
    started,
    step,
    three_steps,
)
from engine_lab import until

from dormouse import (
    ActivityError,
    Engine,
    ExecutionBlocked,
    ExecutionCancelled,
    ExecutionFailed,
    NotRetryable,
    RetryPolicy,
    activity,
    activity_info,
    workflow,
)
from dormouse.engine.ending import Status


@pytest.fixture(autouse=True)
def undisturbed() -> None:
    nothing_ran()


def test_a_retry_tries_the_failed_activity_again_and_nothing_before_it(tmp_path: Path) -> None:
    async def use(engine: Engine) -> str:
        broken.add("second")
        handle = await engine.start(three_steps, id="one")
        with pytest.raises(ExecutionFailed, match="second is broken"):
            await handle.result()
        broken.clear()
        await handle.retry()
        return await handle.result()

    assert drive(tmp_path, use) == "first-second-third"
    assert ran == ["first", "second", "second", "third"]


def test_a_retry_survives_restarts_at_its_every_stage(tmp_path: Path) -> None:
    async def fails(engine: Engine) -> None:
        with pytest.raises(ExecutionFailed):
            await (await engine.start(three_steps, id="one")).result()

    async def retry(engine: Engine) -> None:
        await engine.handle("one").retry()

    async def result(engine: Engine) -> str:
        return str(await engine.result("one"))

    broken.add("second")
    drive(tmp_path, fails)
    drive(tmp_path, retry)
    broken.clear()
    drive(tmp_path, fails_or_passes)
    if "third" not in ran:
        drive(tmp_path, retry)
    assert drive(tmp_path, result) == "first-second-third"
    assert drive(tmp_path, result) == "first-second-third"
    assert ran.count("first") == ran.count("third") == 1


async def fails_or_passes(engine: Engine) -> None:
    try:
        await engine.result("one")
    except ExecutionFailed:
        return


def test_a_retry_takes_back_what_followed_the_failure_but_gives_no_number_twice(tmp_path: Path) -> None:
    keys: list[str] = []

    @activity(retry=RetryPolicy(attempts=1))
    async def keyed(name: str) -> None:
        keys.append(f"{name} {activity_info().idempotency_key.rpartition('/')[2]}")
        if name in broken:
            raise ConnectionError

    @workflow
    async def undoes() -> None:
        try:
            await keyed("pay")
        except ActivityError:
            await keyed("undo")
            raise
        await keyed("ship")

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [undoes]) as engine:
            broken.add("pay")
            handle = await engine.start(undoes)
            with pytest.raises(ExecutionFailed):
                await handle.result()
            broken.clear()
            await handle.retry()
            await handle.result()

    asyncio.run(run())
    assert keys == ["pay 1", "undo 2", "pay 1", "ship 3"]


def test_a_terminated_execution_goes_on_where_it_was(tmp_path: Path) -> None:
    async def use(engine: Engine) -> str:
        handle = await started(engine, "defies")
        await handle.terminate()
        await handle.retry()
        await until(lambda: ran.count("endless") == 2)
        await handle.cancel()
        return str(await handle.result())

    assert drive(tmp_path, use) == "finished anyway"


def test_a_cancelled_execution_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await started(engine, "waits")
        await handle.cancel()
        with pytest.raises(ExecutionCancelled):
            await handle.result()
        await handle.retry()
        await until(lambda: ran.count("endless") == 2)
        row = engine.read.describe("one")
        assert (row.status, row.closed_at) == (Status.OPEN, None)
        assert engine.read.history("one")[-1].kind == "ExecutionRetried"

    drive(tmp_path, use)


def test_a_retry_loses_no_message_that_came_after_the_failure(tmp_path: Path) -> None:
    async def use(engine: Engine) -> str:
        broken.add("first")
        handle = await engine.start(heeds, id="one")
        await until(lambda: ran == ["first"])
        await handle.signal(note, "kept")
        with pytest.raises(ExecutionFailed):
            await handle.result()
        broken.clear()
        await handle.retry()
        return await handle.result()

    assert drive(tmp_path, use) == "kept"


def test_only_what_ended_badly_is_retried(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await engine.start(three_steps, id="done")
        await handle.result()
        with pytest.raises(NotRetryable, match="has completed"):
            await handle.retry()
        with pytest.raises(NotRetryable, match="has not ended"):
            await (await started(engine, "waits")).retry()

    drive(tmp_path, use)


def test_a_retry_of_what_is_blocked_says_why_it_is(tmp_path: Path) -> None:
    async def forgetful() -> None:
        step("never")  # type: ignore[unused-coroutine]

    async def use() -> None:
        async with Engine(tmp_path / "db.sqlite", [workflow(forgetful)]) as engine:
            handle = await engine.start("forgetful", id="one")
            with pytest.raises(ExecutionBlocked):
                await handle.result()
            with pytest.raises(NotRetryable, match=r"is blocked, and a retry would not change that: .*never awaited"):
                await handle.retry()

    asyncio.run(use())


def test_mended_code_goes_on_after_a_mistake(tmp_path: Path) -> None:
    async def flow() -> str:
        await step("first")
        raise KeyError("a mistake")

    async def mended() -> str:
        return await step("first") + await step("second")

    mended.__name__ = "flow"

    async def fails() -> None:
        async with Engine(tmp_path / "db.sqlite", [workflow(flow)]) as engine:
            handle = await engine.start("flow", id="one")
            for _ in range(2):
                with pytest.raises(ExecutionFailed, match="a mistake"):
                    await handle.result()
                await handle.retry()

    async def passes() -> str:
        async with Engine(tmp_path / "db.sqlite", [workflow(mended)]) as engine:
            await engine.recovered()
            if engine.read.describe("one").status == Status.FAILED:
                await engine.handle("one").retry()
            return str(await engine.result("one"))

    asyncio.run(fails())
    assert asyncio.run(passes()) == "firstsecond"
    assert ran == ["first", "second"]
