"""What happens while a file's executions come back into memory? The first go on, and who is needed comes at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from engine_lab import EveryCommit, kinds, until

from dormouse import Engine, ExecutionCancelled, Signal, activity, workflow
from dormouse.engine.clock import ManualClock
from dormouse.engine.database import Database
from dormouse.engine.ending import Status
from dormouse.engine.recovery import Recovery
from dormouse.engine.registry import Dormant, Running

go = Signal("go", int)
happened: list[str] = []
OTHERS = 40


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    happened.clear()
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
async def child() -> None:
    happened.append("child")
    await go.receive()


@workflow
async def parent() -> str:
    await go.receive()
    called = asyncio.ensure_future(child.with_options(id="child")())
    await asyncio.sleep(10)
    return f"the child goes on: {not called.done()}"


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
    commits = EveryCommit(tmp_path / "db.sqlite", tmp_path)

    async def first_life() -> None:
        clock = ManualClock()
        async with Engine(tmp_path / "db.sqlite", [parent, child, steps], clock=clock, durability=commits) as engine:
            handle = await engine.start(parent, id="parent")
            for number in range(3):
                await engine.start(steps, number)
            await handle.signal(go, 1)
            await until(lambda: engine.standing().waiting == 1)
            clock.advance(10)
            await handle.result()

    async def second_life(killed: Path) -> None:
        async with Engine(killed, [parent, child, steps]) as engine:
            assert await engine.handle("parent").result() == "the child goes on: True"
            with pytest.raises(ExecutionCancelled):
                await asyncio.wait_for(engine.handle("child").result(), 20)
            assert woken == [engine.read.describe("child").key]

    asyncio.run(first_life())
    # Killed when the parent's time was over, and its code had not heard of it: it ends in its replay.
    killed = next(copy for copy in commits.copies if ("TimerFired", 1) in kinds(copy, "parent"))
    assert ("ExecutionCompleted", None) not in kinds(killed, "parent")
    happened.clear()
    asyncio.run(second_life(killed))
    assert happened.count("child") == 1
    assert happened.index("child") < happened.index("replay 0")


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
