"""How is one attempt of an activity run, and how does it end?"""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import pytest
from engine_lab import until

from dormouse import Engine, ExecutionFailed, RetryPolicy, activity, activity_info, workflow
from dormouse.engine.attempts import Attempts
from dormouse.engine.calls import ActivityCall
from dormouse.engine.definitions import Workflow
from dormouse.engine.tally import Tally
from dormouse.errors import EngineStopped

R = TypeVar("R")


def test_an_attempt_knows_its_key_and_its_number(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    @activity(retry=RetryPolicy(initial_seconds=0, attempts=3))
    async def shaky() -> None:
        info = activity_info()
        seen.append((info.idempotency_key, info.attempt))
        if info.attempt < 3:
            raise ConnectionError("not yet")

    @workflow
    async def stubborn() -> None:
        await shaky()
        await shaky()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [stubborn], identity="me") as engine:
            await (await engine.start(stubborn, id="one")).result()

    asyncio.run(run())
    assert seen == [(f"me/one/{call}", attempt) for call in (1, 2) for attempt in (1, 2, 3)]


def test_the_identity_stays_with_the_file(tmp_path: Path) -> None:
    @activity
    async def key() -> str:
        return activity_info().idempotency_key.partition("/")[0]

    @workflow
    async def keyed() -> str:
        return await key()

    async def run(execution_id: str) -> str:
        async with Engine(tmp_path / "db.sqlite", [keyed]) as engine:
            return await (await engine.start(keyed, id=execution_id)).result()

    assert asyncio.run(run("a")) == asyncio.run(run("b"))


def test_an_attempt_that_takes_too_long_has_failed(tmp_path: Path) -> None:
    @activity(retry=RetryPolicy(attempts=1), start_to_close_seconds=0.01)
    async def slow() -> None:
        await asyncio.Event().wait()

    @workflow
    async def impatient() -> None:
        await slow()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [impatient]) as engine:
            with pytest.raises(
                ExecutionFailed, match=r"TimeoutError: it took longer than start_to_close_seconds=0\.01"
            ):
                await (await engine.start(impatient)).result()

    asyncio.run(run())


def test_a_result_that_does_not_fit_its_annotation_fails_at_once(tmp_path: Path) -> None:
    @activity
    async def lying() -> int:
        return "three"  # type: ignore[return-value]

    @workflow
    async def believing() -> int:
        return await lying()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [believing]) as engine:
            with pytest.raises(ExecutionFailed, match="the result of lying does not fit: Expected `int`, got `str`"):
                await (await engine.start(believing)).result()

    asyncio.run(run())


def test_a_cancelled_attempt_is_stopped(tmp_path: Path) -> None:
    stopped: list[str] = []

    @activity
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append("endless")
            raise

    @workflow
    async def bored() -> str:
        try:
            async with asyncio.timeout(0.01):
                await endless()
        except TimeoutError:
            return "bored"
        return "never"

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [bored]) as engine:
            assert await (await engine.start(bored)).result() == "bored"
            await until(lambda: stopped == ["endless"])

    asyncio.run(run())


def test_only_so_many_attempts_run_at_once(tmp_path: Path) -> None:
    running: list[int] = [0, 0]

    @activity
    async def greedy() -> None:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0.001)
        running[0] -= 1

    @workflow
    async def crowd() -> None:
        await asyncio.gather(*(greedy() for _ in range(50)))

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [crowd], activities_at_once=4) as engine:
            await (await engine.start(crowd)).result()

    asyncio.run(run())
    assert running[1] == 4


def test_activities_that_are_not_async_run_in_threads_beside_each_other(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=20)

    @activity
    def meet() -> int:
        return together.wait()

    @workflow
    async def meeting() -> list[int]:
        return sorted(await asyncio.gather(meet(), meet(), meet()))

    async def run() -> list[int]:
        async with Engine(tmp_path / "db.sqlite", [meeting]) as engine:
            return await (await engine.start(meeting)).result()

    assert asyncio.run(run()) == [0, 1, 2]


def test_what_the_workflow_changes_after_a_call_is_not_part_of_it(tmp_path: Path) -> None:
    @activity
    async def size(items: list[int]) -> int:
        return len(items)

    @workflow
    async def growing() -> int:
        items = [1]
        call = asyncio.create_task(size(items))
        items.append(2)
        return await call

    async def run() -> int:
        async with Engine(tmp_path / "db.sqlite", [growing]) as engine:
            return await (await engine.start(growing)).result()

    assert asyncio.run(run()) == 1


def test_what_goes_wrong_around_an_attempt_fails_its_execution_and_lets_nobody_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @activity
    async def fails() -> None:
        raise ConnectionError("down")

    @workflow
    async def asks() -> None:
        await fails()

    def broken(*_: object) -> None:
        raise AttributeError("a mistake of the engine's own")

    monkeypatch.setattr("dormouse.engine.outcomes.seconds_until_retry", broken)

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [asks]) as engine:
            await (await engine.start(asks)).result()

    with pytest.raises(ExecutionFailed, match="AttributeError: a mistake of the engine's own"):
        asyncio.run(run())
    assert "fails-1 could not be run" in caplog.text


def test_what_goes_wrong_between_attempts_ends_the_engine_and_lets_nobody_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @activity
    async def works() -> None: ...

    @workflow
    async def asks() -> None:
        await works()

    def broken(*_: object) -> None:
        raise AttributeError("a mistake of the engine's own")

    monkeypatch.setattr(Tally, "attempts_of", broken)

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [asks]) as engine:
            await asyncio.wait_for((await engine.start(asks)).result(), 60)

    with pytest.raises((EngineStopped, AttributeError), match="a mistake of the engine's own"):
        asyncio.run(run())


def test_a_call_that_a_def_cannot_await_is_told_as_such(tmp_path: Path) -> None:
    @activity
    async def other() -> int:
        return 1

    @activity(retry=RetryPolicy(attempts=1))
    def calls_it() -> object:
        return other()

    @workflow
    async def asks() -> None:
        await calls_it()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [asks]) as engine:
            await (await engine.start(asks)).result()

    with pytest.raises(ExecutionFailed, match=r"the result of calls_it does not fit: it holds a coroutine, .*await"):
        asyncio.run(run())


_left_behind: ContextVar[str] = ContextVar("left_behind", default="nothing")


def test_what_an_attempt_sets_in_its_context_is_seen_by_no_other(tmp_path: Path) -> None:
    @activity
    async def look_and_leave(name: str) -> str:
        found = _left_behind.get()
        _left_behind.set(name)
        return found

    @workflow
    async def together() -> list[str]:
        return list(await asyncio.gather(*(look_and_leave(name) for name in "abc")))

    assert asyncio.run(_result(tmp_path, together)) == ["nothing"] * 3


def test_an_attempt_that_waits_keeps_its_context_and_its_task_and_the_others_go_on(tmp_path: Path) -> None:
    order: list[str] = []
    met = asyncio.Event()

    @activity
    async def waits() -> str:
        task = asyncio.current_task()
        _left_behind.set("mine")
        order.append("begins")
        async with asyncio.timeout(60):
            await met.wait()
        order.append("ends")
        assert asyncio.current_task() is task
        return _left_behind.get()

    @activity
    async def meets() -> str:
        order.append("meets")
        met.set()
        return _left_behind.get()

    @workflow
    async def together() -> list[str]:
        return list(await asyncio.gather(waits(), meets()))

    assert asyncio.run(_result(tmp_path, together)) == ["mine", "nothing"]
    assert order == ["begins", "meets", "ends"]


def test_an_attempt_that_waits_keeps_nothing_of_those_that_ended_before_it(tmp_path: Path) -> None:
    ended: list[str] = []
    kept: list[str] = []

    @activity
    async def quick(number: int) -> int:
        return number

    @activity
    async def waits() -> None:
        async with asyncio.timeout(60):
            while len(ended) < 20:
                await asyncio.sleep(0)
        gc.collect()
        calls = [one for one in gc.get_objects() if isinstance(one, ActivityCall)]
        kept.extend(one.activity.name for one in calls if one.activity is quick or one.activity is waits)

    async def quickly(number: int) -> None:
        await quick(number)
        ended.append("quick")

    @workflow
    async def together() -> None:
        await asyncio.gather(*map(quickly, range(20)), waits())

    asyncio.run(_result(tmp_path, together))
    assert kept == ["waits"]


def test_an_attempt_that_cancels_its_own_task_takes_no_other_with_it(tmp_path: Path) -> None:
    @activity
    async def cancels_itself() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "done"

    @activity
    async def waits() -> str:
        await asyncio.sleep(0)
        return "waited"

    @workflow
    async def together() -> list[str]:
        return list(await asyncio.gather(cancels_itself(), waits(), cancels_itself()))

    assert asyncio.run(_result(tmp_path, together)) == ["done", "waited", "done"]


def test_an_attempt_whose_task_somebody_else_cancels_is_tried_again(tmp_path: Path) -> None:
    tasks: list[asyncio.Task[object] | None] = []

    @activity
    async def leaves_its_task() -> None:
        tasks.append(asyncio.current_task())

    @activity(retry=RetryPolicy(initial_seconds=0))
    async def waits() -> int:
        tasks.append(asyncio.current_task())
        if activity_info().attempt == 1:
            for task in tasks:
                if task is not None:
                    task.cancel()
            await asyncio.Event().wait()
        return activity_info().attempt

    @workflow
    async def together() -> int:
        return (await asyncio.gather(leaves_its_task(), waits()))[1]

    assert asyncio.run(_result(tmp_path, together)) == 2


def test_an_attempt_that_is_cancelled_before_its_first_turn_leaves_its_place_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, cancelled = Attempts.begin, []

    def begin_and_cancel(attempts: Attempts, call: ActivityCall) -> None:
        begin(attempts, call)
        if call.execution.id == "unwanted":
            attempts.cancel(call)
            cancelled.append(call)

    monkeypatch.setattr(Attempts, "begin", begin_and_cancel)

    @activity
    async def waits() -> None:
        await asyncio.sleep(0)

    @workflow
    async def one() -> str:
        await waits()
        return "done"

    async def run() -> list[str]:
        async with Engine(tmp_path / "db.sqlite", [one], activities_at_once=1) as engine:
            first = await (await engine.start(one, id="first")).result()
            await engine.start(one, id="unwanted")
            return [first, await (await engine.start(one, id="next")).result()]

    assert asyncio.run(run()) == ["done", "done"]
    assert len(cancelled) == 1


def test_what_an_attempt_does_on_its_way_out_is_done_in_its_context(tmp_path: Path) -> None:
    seen: list[str] = []

    @activity
    async def waits() -> None:
        _left_behind.set("mine")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(_left_behind.get())

    @workflow
    async def impatient() -> None:
        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(_result(tmp_path, impatient))
    assert seen == ["mine"]


async def _result(tmp_path: Path, of: Workflow[[], R]) -> R:
    async with Engine(tmp_path / "db.sqlite", [of]) as engine:
        return await (await engine.start(of)).result()
