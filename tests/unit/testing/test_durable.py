"""Do tests get what they ask for: time that jumps, activities that fail, a process that dies?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from dormouse import (
    EngineStopped,
    ExecutionFailed,
    InvalidDefinition,
    RetryPolicy,
    Signal,
    activity,
    activity_info,
    now,
    workflow,
)
from dormouse.client.file import DatabaseFile
from dormouse.testing import Durable, Stuck, VirtualEngine

T = TypeVar("T")
DAY = 86400.0
ran: list[str] = []
go = Signal("go", str)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@pytest.fixture
def durable(tmp_path: Path) -> Durable:
    return Durable(tmp_path)


@activity
async def fetch(name: str) -> str:
    ran.append(name)
    return name.upper()


@activity(retry=RetryPolicy(initial_seconds=3600, maximum_seconds=36000, attempts=4))
def charge(cents: int) -> str:
    ran.append(f"attempt {activity_info().attempt}")
    return f"{cents} cents"


hurried = charge.with_options(retry=RetryPolicy(attempts=1))


@workflow
async def sleeper(days: float) -> float:
    begin = now()
    await fetch("before")
    await asyncio.sleep(days * DAY)
    await fetch("after")
    return (now() - begin) / timedelta(days=1)


@workflow
async def pays() -> str:
    return await charge(7)


@workflow
async def pays_hurriedly() -> str:
    return await hurried(7)


@workflow
async def reminds() -> int:
    reminders = 0
    while True:
        try:
            async with asyncio.timeout(3 * DAY):
                await go.receive()
                return reminders
        except TimeoutError:
            await fetch(f"reminder {reminders}")
            reminders += 1


@workflow
async def waits() -> str:
    return await go.receive()


@workflow
async def calls() -> str:
    return await pays() + await fetch("x")


def on_engine(durable: Durable, use: Callable[[VirtualEngine], Awaitable[T]]) -> T:
    async def run() -> T:
        async with durable.engine([reminds, waits, sleeper]) as engine:
            return await use(engine)

    return asyncio.run(run())


def test_a_year_passes_at_once(durable: Durable) -> None:
    before = time.monotonic()
    assert durable.run(sleeper, 365.0) == 365
    assert durable.clock.present.year == 2024
    assert time.monotonic() - before < DAY


def test_what_failed_is_tried_again_without_waiting_and_for_real_at_last(durable: Durable) -> None:
    durable.fail(charge, ConnectionError("no answer"), attempts=2)
    begin = durable.clock.present
    assert durable.run(pays) == "7 cents"
    assert ran == ["attempt 3"]
    assert durable.clock.present - begin == timedelta(hours=1 + 2)


def test_attempts_fail_by_their_number(durable: Durable) -> None:
    durable.fail(charge, ConnectionError("no answer"), attempts={1, 2, 4})
    durable.replace(charge, lambda _: attempts_that_run())
    with pytest.raises(ExecutionFailed, match="failed after 4 attempts: ConnectionError"):
        durable.run(pays)
    assert ran == ["attempt 3"]


def attempts_that_run() -> str:
    ran.append(f"attempt {activity_info().attempt}")
    raise ConnectionError("of the bank itself")


def test_an_activity_that_fails_too_often_fails_its_workflow(durable: Durable) -> None:
    durable.fail(charge, ConnectionError("no answer"), attempts=4)
    with pytest.raises(ExecutionFailed, match="no answer"):
        durable.run(pays)
    assert ran == []


def test_a_fault_is_that_of_an_activity_with_other_options_too(durable: Durable) -> None:
    durable.fail(charge, ConnectionError("no answer"))
    with pytest.raises(ExecutionFailed, match="failed after 1 attempt: ConnectionError: no answer"):
        durable.run(pays_hurriedly)


def test_an_activity_is_replaced_by_a_function_async_or_not(durable: Durable) -> None:
    async def fetched(name: str) -> str:
        return f"not {name}"

    durable.replace(charge, lambda cents: f"{cents + 1} instead, ")
    durable.replace(fetch, fetched)
    assert durable.run(calls) == "8 instead, not x"
    assert ran == []


def test_a_replacement_must_fit_the_types_of_its_activity(durable: Durable) -> None:
    durable.replace(charge, lambda _: 7)  # type: ignore[arg-type]
    with pytest.raises(ExecutionFailed, match="result of charge does not fit"):
        durable.run(pays)


def test_time_stands_still_until_the_test_waits(durable: Durable) -> None:
    async def use(engine: VirtualEngine) -> int:
        handle = await engine.start(reminds)
        await engine.sleep(0)
        assert ran == []
        await engine.sleep(7 * DAY)
        assert ran == ["reminder 0", "reminder 1"]
        await handle.signal(go, "now")
        return await handle.result()

    begin = durable.clock.present
    assert on_engine(durable, use) == 2
    assert durable.clock.present - begin == timedelta(days=7)


def test_a_test_may_send_a_message_while_it_waits(durable: Durable) -> None:
    async def use(engine: VirtualEngine) -> str:
        handle = await engine.start(waits)

        async def send() -> None:
            await asyncio.sleep(0.01)
            await handle.signal(go, "late")

        result, _ = await asyncio.gather(handle.result(), send())
        return result

    assert on_engine(durable, use) == "late"


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    durable = Durable(tmp_path, most_jumps=20)
    with pytest.raises(Stuck, match="waits for signal go, and this test sends nothing"):
        durable.run(waits)
    with pytest.raises(Stuck, match="has not ended by 13 January 2024, after 20 jumps"):
        durable.run(reminds)


def test_after_a_crash_what_was_committed_stays_and_nothing_that_follows_has_happened(durable: Durable) -> None:
    durable.crash_after(1)

    async def begin() -> None:
        async with durable.engine([sleeper]) as engine:
            await (await engine.start(sleeper, 3.0, id="one")).result()

    async def go_on() -> float:
        async with durable.engine([sleeper]) as engine:
            return await engine.handle("one", sleeper).result()

    with pytest.raises(EngineStopped, match="die after its commit number 1"):
        asyncio.run(begin())
    assert ran == []
    with DatabaseFile(durable.database) as file:
        assert file.show("one").status == "Open"
        assert [one.name for one in file.history("one") if one.kind == "ActivityCompleted"] == []
    assert asyncio.run(go_on()) == 3
    assert ran == ["before", "after"]


def test_a_run_goes_on_by_itself_after_a_crash(durable: Durable) -> None:
    durable.crash_after(1)
    assert durable.run(sleeper, 1.0) == 1
    assert durable.run(sleeper, 2.0) == 2


def test_each_crash_is_tried(durable: Durable) -> None:
    durable.fail(charge, ConnectionError("no answer"))
    results = durable.run_with_each_crash(calls)
    assert set(results) == {"7 centsX"}
    assert len(results) > 3


def test_no_crash_after_nothing(durable: Durable) -> None:
    with pytest.raises(ValueError, match="not after 0"):
        durable.crash_after(0)


def test_what_is_no_activity_cannot_fail_or_be_replaced(durable: Durable) -> None:
    with pytest.raises(InvalidDefinition, match="replace takes an activity, and sleeper is a workflow"):
        durable.replace(sleeper, fetch.function)  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match="fail takes the activity itself, not 'fetch'"):
        durable.fail("fetch", ValueError())  # type: ignore[arg-type]


def test_a_failing_run_shows_the_tests_own_lines(durable: Durable) -> None:
    @workflow
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ExecutionFailed, match="ValueError: no") as failed:
        durable.run(fails)
    assert [str(entry.path) for entry in failed.traceback.filter(failed)] == [__file__]


def test_what_a_run_leaves_is_one_file_that_can_be_copied(durable: Durable, tmp_path: Path) -> None:
    durable.run(sleeper, 1.0)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(("-wal", "-shm"))] == []
