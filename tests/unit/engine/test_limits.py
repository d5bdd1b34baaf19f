"""How long may an attempt go on, and is it told when nobody waits for it any more?"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
from engine_lab import advance, until, until_asleep

from dormouse import (
    ActivityError,
    Engine,
    InvalidDefinition,
    RetryAfter,
    RetryPolicy,
    Workflow,
    activity,
    activity_info,
    heartbeat,
    workflow,
)
from dormouse.engine.attempt import limit_of
from dormouse.engine.clock import SECOND, ManualClock
from dormouse.engine.options import ActivityOptions


def outcome(path: Path, definition: Workflow[[], Any], clock: ManualClock | None = None) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", [definition], clock=clock) as engine:
            return await (await engine.start(definition, id="one")).result()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "waited", "seconds", "final"),
    [
        (ActivityOptions(start_to_close_seconds=5), 100, 5, False),
        (ActivityOptions(schedule_to_close_seconds=60), 20, 40, True),
        (ActivityOptions(start_to_close_seconds=5, schedule_to_close_seconds=60), 20, 5, False),
        (ActivityOptions(start_to_close_seconds=5, schedule_to_close_seconds=60), 58, 2, True),
        (ActivityOptions(schedule_to_close_seconds=60), 61, 0, True),
    ],
)
def test_the_nearer_bound_counts(options: ActivityOptions, waited: int, seconds: float, *, final: bool) -> None:
    limit = limit_of(options, 0, waited * SECOND)
    assert limit is not None
    assert (limit.seconds, limit.final) == (seconds, final)


def test_without_bounds_there_is_no_limit() -> None:
    assert limit_of(ActivityOptions(), 0, SECOND) is None


@pytest.mark.parametrize("wrong", [{"heartbeat_seconds": 0}, {"start_to_close_seconds": -1}, {"timeout": 3}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidDefinition, match=next(iter(wrong))):
        activity(**wrong)  # type: ignore[call-overload]


def test_one_call_may_have_other_options_and_the_activity_keeps_its_own(tmp_path: Path) -> None:
    @activity(retry=RetryPolicy(initial_seconds=0, attempts=5))
    async def fails() -> int:
        raise ConnectionError(activity_info().attempt)

    @workflow
    async def impatient() -> list[int]:
        attempts = []
        for call in (fails.with_options(retry=RetryPolicy(attempts=1)), fails):
            try:
                await call()
            except ActivityError as error:
                attempts.append(error.attempts)
        return attempts

    assert outcome(tmp_path, impatient) == [1, 5]


def test_all_attempts_together_are_bounded_and_no_wait_goes_past_the_end(tmp_path: Path) -> None:
    clock, attempts = ManualClock(), []

    @activity(retry=RetryPolicy(initial_seconds=20, factor=1), schedule_to_close_seconds=50)
    async def fails() -> None:
        attempts.append(activity_info().attempt)
        raise ConnectionError("down")

    @workflow
    async def bounded() -> tuple[int, str]:
        try:
            await fails()
        except ActivityError as error:
            return error.attempts, f"{error.cause_type}: {error.cause_message}"
        return 0, ""

    async def run() -> tuple[int, str]:
        async with Engine(tmp_path / "db.sqlite", [bounded], clock=clock) as engine:
            handle = await engine.start(bounded)
            for _ in range(2):
                await until_asleep(engine)
                await advance(clock, engine, 20)
            return await handle.result()

    left = "TimeoutError: schedule_to_close_seconds=50 leaves no time for another attempt"
    assert asyncio.run(run()) == (3, f"{left}; the last one failed: ConnectionError: down")
    assert attempts == [1, 2, 3]


def test_time_that_passed_while_nobody_ran_it_counts_too(tmp_path: Path) -> None:
    clock, ran = ManualClock(), []

    @activity(schedule_to_close_seconds=60)
    async def work() -> None:
        ran.append(1)
        await asyncio.Event().wait()

    @workflow
    async def interrupted() -> None:
        await work()

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [interrupted], clock=clock) as engine:
            await engine.start(interrupted, id="one")
            await until(lambda: bool(ran))

    asyncio.run(begin())
    clock.advance(61)
    with pytest.raises(Exception, match="TimeoutError: it took longer than schedule_to_close_seconds=60"):
        outcome(tmp_path, interrupted, clock)
    assert ran == [1]


def test_an_attempt_without_a_heartbeat_has_failed_and_the_next_goes_on_from_its_details(tmp_path: Path) -> None:
    @activity(retry=RetryPolicy(initial_seconds=0), heartbeat_seconds=0.05)
    async def copies() -> Any:
        if activity_info().attempt == 1:
            heartbeat({"rows": 7})
            await asyncio.Event().wait()
        return activity_info().heartbeat_details

    @workflow
    async def copying() -> Any:
        return await copies()

    assert outcome(tmp_path, copying) == {"rows": 7}


def test_heartbeats_keep_an_attempt_alive(tmp_path: Path) -> None:
    @activity(retry=RetryPolicy(attempts=1), heartbeat_seconds=0.5)
    def slow() -> str:
        for _ in range(8):
            heartbeat()
            threading.Event().wait(0.1)
        return "done"

    @workflow
    async def patient() -> str:
        return await slow()

    assert outcome(tmp_path, patient) == "done"


def test_a_thread_hears_at_its_next_heartbeat_that_nobody_waits_for_it(tmp_path: Path) -> None:
    begun, told = threading.Event(), threading.Event()

    @activity
    def endless() -> None:
        begun.set()
        try:
            while True:
                heartbeat()
                threading.Event().wait(0.01)
        except asyncio.CancelledError:
            told.set()
            raise

    @activity
    def until_begun() -> None:
        begun.wait(20)

    @workflow
    async def fickle() -> None:
        task = asyncio.create_task(endless())
        await until_begun()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    outcome(tmp_path, fickle)
    assert told.wait(20)


def test_a_coroutine_is_told_by_cancellation_and_may_clean_up(tmp_path: Path) -> None:
    ended = []

    @activity
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    @workflow
    async def hasty() -> str:
        try:
            async with asyncio.timeout(0.05):
                await endless()
        except TimeoutError:
            return "late"
        return "done"

    assert outcome(tmp_path, hasty) == "late"
    assert ended == [1]


def test_a_service_that_says_when_to_come_back_is_believed(tmp_path: Path) -> None:
    clock = ManualClock()

    @activity
    async def limited() -> int:
        if activity_info().attempt == 1:
            raise RetryAfter(3600, "too many requests")
        return activity_info().attempt

    @workflow
    async def asking() -> int:
        return await limited()

    async def run() -> int:
        async with Engine(tmp_path / "db.sqlite", [asking], clock=clock) as engine:
            handle = await engine.start(asking)
            await until_asleep(engine)
            assert engine.standing().next_wake_at == clock.now() + 3600 * SECOND
            await advance(clock, engine, 3600)
            return await handle.result()

    assert asyncio.run(run()) == 2
