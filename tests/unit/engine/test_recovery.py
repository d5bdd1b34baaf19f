"""What happens while a file's executions come back into memory? The first go on, and who is needed comes at once."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from engine_lab import EveryCommit, kinds, until

from dormouse import Engine, ExecutionCancelled, Signal, Workflow, activity, workflow
from dormouse.engine.clock import ManualClock
from dormouse.engine.database import Database
from dormouse.engine.ending import Status
from dormouse.engine.recovery import Recovery
from dormouse.engine.registry import Dormant, Running

go = Signal("go", int)
happened: list[str] = []
stays = threading.Event()
OTHERS = 40


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    happened.clear()
    stays.clear()
    monkeypatch.setattr("dormouse.engine.recovery._SECONDS_AT_A_TIME", 0)


@activity
async def step(number: int) -> None:
    happened.append(f"step {number}")
    await asyncio.Event().wait()


@workflow
async def steps(number: int) -> None:
    happened.append(f"replay {number}")
    await step(number)


@workflow
async def child() -> int:
    happened.append("child")
    try:
        return await go.receive()
    except asyncio.CancelledError:
        if not stays.is_set():
            raise
        return await go.receive()


@workflow
async def parent() -> str:
    await go.receive()
    called = asyncio.ensure_future(child.with_options(id="child")())
    await asyncio.sleep(10)
    return f"the child goes on: {not called.done()}"


ALL: list[Workflow[..., Any]] = [parent, child, steps]


def killed_when_the_parent_was_about_to_end(folder: Path, *, steps_between: int = 3) -> Path:
    """Its time was over, and its code had not heard of it: it ends in its replay, and lets go of its child."""
    commits = EveryCommit(folder / "db.sqlite", folder)

    async def life() -> None:
        clock = ManualClock()
        async with Engine(folder / "db.sqlite", ALL, clock=clock, durability=commits) as engine:
            handle = await engine.start(parent, id="parent")
            await asyncio.gather(*(engine.start(steps, number) for number in range(steps_between)))
            await handle.signal(go, 1)
            await until(lambda: engine.standing().waiting == 1)
            clock.advance(10)
            await handle.result()

    asyncio.run(life())
    happened.clear()
    killed = next(copy for copy in commits.copies if ("TimerFired", 1) in kinds(copy, "parent"))
    assert ("ExecutionCompleted", None) not in kinds(killed, "parent")
    return killed


def test_the_first_step_goes_on_before_the_last_execution_is_back(tmp_path: Path) -> None:
    async def life(*, first: bool) -> None:
        async with Engine(tmp_path / "db.sqlite", [steps]) as engine:
            for number in range(OTHERS if first else 0):
                await engine.start(steps, number)
            await until(lambda: sum(one.startswith("step") for one in happened) == OTHERS)

    asyncio.run(life(first=True))
    happened.clear()
    asyncio.run(life(first=False))
    assert happened.index("step 0") < happened.index(f"replay {OTHERS - 1}")
    assert len(happened) == 2 * OTHERS


def test_who_is_needed_before_its_turn_comes_back_at_once_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    wake = Recovery.wake

    def watched_wake(recovery: Recovery, dormant: Dormant) -> Running:
        woken.append(dormant.key)
        return wake(recovery, dormant)

    monkeypatch.setattr(Recovery, "wake", watched_wake)
    killed = killed_when_the_parent_was_about_to_end(tmp_path)

    async def life() -> None:
        async with Engine(killed, ALL) as engine:
            assert await engine.handle("parent").result() == "the child goes on: True"
            with pytest.raises(ExecutionCancelled):
                await asyncio.wait_for(engine.handle("child").result(), 60)
            assert woken == [engine.read.describe("child").key]

    asyncio.run(life())
    assert happened.count("child") == 1
    assert happened.index("child") < happened.index("replay 0")


def test_who_rests_again_before_its_turn_comes_is_not_brought_back_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = killed_when_the_parent_was_about_to_end(tmp_path, steps_between=10 * OTHERS)
    monkeypatch.setattr("dormouse.engine.dormancy._LONG_SECONDS", 0)
    stays.set()

    async def life() -> None:
        async with Engine(killed, ALL, resting_in_memory=0) as engine:
            assert happened.count("child") == 1
            await engine.handle("child").signal(go, 2)
            assert await asyncio.wait_for(engine.handle("child").result(), 60) == 2

    asyncio.run(life())
    assert happened.count("child") == 2  # for its parent, and for the signal


def test_a_file_that_cannot_be_read_to_its_end_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def first_life() -> None:
        async with Engine(tmp_path / "db.sqlite", [steps]) as engine:
            for number in range(3):
                await engine.start(steps, number, id=str(number))

    async def second_life() -> None:
        async with Engine(tmp_path / "db.sqlite", [steps]):
            raise AssertionError("it has opened")

    async def third_life() -> list[Status]:
        async with Engine(tmp_path / "db.sqlite", [steps]) as engine:
            return [engine.read.describe(str(number)).status for number in range(3)]

    asyncio.run(first_life())
    read = Database.events_of
    seen: list[object] = []

    def fails_for_the_last(database: Database, run: object) -> object:
        seen.append(run)
        if len(seen) == 3:
            raise OSError("the disk")
        return read(database, run)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(Database, "events_of", fails_for_the_last)
        with pytest.raises(OSError, match="the disk"):
            asyncio.run(second_life())
    assert asyncio.run(third_life()) == [Status.OPEN] * 3
