"""What may still happen while an engine stops? Nothing new, and nothing for long."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from engine_lab import kinds, until

from dormouse import Engine, RetryPolicy, activity, workflow
from dormouse.engine import attempts
from dormouse.engine.clock import ManualClock
from dormouse.errors import EngineStopped


def executions(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT id, status FROM execution").fetchall())


async def passes_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_result_that_came_last_is_written_and_what_follows_is_left_to_the_next_life(tmp_path: Path) -> None:
    ran: list[str] = []

    async def run() -> None:
        last_moment = asyncio.Event()

        @activity
        async def first() -> int:
            last_moment.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ran.append("first")
            return 1

        @activity
        async def second() -> int:
            ran.append("second")
            return 2

        @workflow
        async def both() -> int:
            return await first() + await second()

        path = tmp_path / "db.sqlite"
        engine = await Engine(path, [both]).__aenter__()
        await engine.start(both, id="main")
        await last_moment.wait()
        await engine.close()
        assert ran == ["first"]
        assert kinds(path, "main") == [
            ("ExecutionStarted", None),
            ("ActivityScheduled", 1),
            ("ActivityCompleted", 1),
        ]
        async with Engine(path, [both]) as engine:
            assert await engine.result("main") == 3
        assert ran == ["first", "second"]

    asyncio.run(run())


def test_an_attempt_that_becomes_due_while_the_engine_stops_is_not_begun(tmp_path: Path) -> None:
    async def run() -> None:
        clock = ManualClock()
        ran: list[str] = []
        cancelled, may_end = asyncio.Event(), asyncio.Event()

        @activity(retry=RetryPolicy(initial_seconds=60))
        async def flaky() -> None:
            ran.append("flaky")
            raise ConnectionError("not yet")

        @activity
        async def slow_to_end() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
                await may_end.wait()

        @workflow
        async def retrying() -> None:
            await flaky()

        @workflow
        async def busy() -> None:
            await slow_to_end()

        engine = await Engine(tmp_path / "db.sqlite", [retrying, busy], clock=clock).__aenter__()
        await engine.start(busy)
        await engine.start(retrying)
        await until(lambda: engine.standing().retrying == 1)
        stopping = asyncio.create_task(engine.close())
        await cancelled.wait()
        clock.advance(61)
        await passes_of_the_loop(10)
        may_end.set()
        await stopping
        assert ran == ["flaky"]

    asyncio.run(run())


@pytest.mark.parametrize("passes", range(6))
def test_a_start_that_races_the_last_close_is_refused_unwritten_or_keeps_the_life_open(
    tmp_path: Path, passes: int
) -> None:
    async def run() -> None:
        @workflow
        async def only() -> int:
            return 1

        @workflow
        async def other() -> None:
            await asyncio.Event().wait()

        path = tmp_path / "db.sqlite"
        engine = await Engine(path, [only, other]).__aenter__()
        ending: list[str] = []

        async def live() -> None:
            await engine.refuse_more_once_all_closed()
            await passes_of_the_loop(3)  # as a runtime needs some from here to its end
            engine.refuse_more()
            ending.append("all closed")

        async def post() -> bool:
            await engine.result("main")
            await passes_of_the_loop(passes)
            try:
                await engine.start(other, id="late")
            except EngineStopped:
                return False
            return True

        await engine.start(only, id="main")
        posting = asyncio.create_task(post())
        living = asyncio.create_task(live())
        accepted = await posting
        await passes_of_the_loop(10)
        assert bool(ending) is not accepted
        assert ("late" in executions(path)) is accepted
        living.cancel()
        await engine.close()

    asyncio.run(run())


def test_an_engine_closes_though_an_activity_swallows_its_cancellation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "_CANCELLED_WITHIN_SECONDS", 0.02)

    async def run() -> None:
        started, may_end = asyncio.Event(), asyncio.Event()

        @activity
        async def stubborn() -> int:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await may_end.wait()
            return 1

        @workflow
        async def waiting() -> int:
            return await stubborn()

        path = tmp_path / "db.sqlite"
        engine = await Engine(path, [waiting]).__aenter__()
        await engine.start(waiting, id="main")
        await started.wait()
        async with asyncio.timeout(60):
            await engine.close()
        before = kinds(path, "main")
        may_end.set()  # what it returns now is not heard any more
        await passes_of_the_loop(10)
        assert kinds(path, "main") == before == [("ExecutionStarted", None), ("ActivityScheduled", 1)]

    asyncio.run(run())
