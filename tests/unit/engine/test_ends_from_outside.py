"""Can an execution be cancelled and terminated, and what does its code see of it?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from ends_lab import (
    ALL,
    drive,
    note,
    nothing_ran,
    ran,
    started,
    step,
    waits,
)
from engine_lab import HeldStore, committing_at_once, kinds, settle, until_asleep

from dormouse import (
    Engine,
    ExecutionBlocked,
    ExecutionCancelled,
    ExecutionClosed,
    ExecutionTerminated,
    UnknownExecution,
    workflow,
)
from dormouse.engine.durability import SyncDurability
from dormouse.engine.ending import Status


@pytest.fixture(autouse=True)
def undisturbed() -> None:
    nothing_ran()


def test_cancellation_arrives_at_the_await_and_cleaning_up_may_await(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await started(engine, "waits")
        await handle.cancel("not needed")
        with pytest.raises(ExecutionCancelled, match=r"execution 'one' was cancelled: .*: not needed"):
            await handle.result()
        assert engine.read.describe("one").status == Status.CANCELLED
        await handle.cancel("again")  # says nothing new

    drive(tmp_path, use)
    assert ran == ["endless", "tidied"]
    assert [kind for kind, _ in kinds(tmp_path / "db.sqlite", "one")] == [
        "ExecutionStarted", "ActivityScheduled", "CancelRequested", "ActivityCancelled", "ActivityScheduled",
        "ActivityCompleted", "ExecutionCancelled",
    ]  # fmt: skip


def test_a_workflow_may_go_on_to_a_good_end(tmp_path: Path) -> None:
    async def use(engine: Engine) -> str:
        handle = await started(engine, "defies")
        await handle.cancel()
        return str(await handle.result())

    assert drive(tmp_path, use) == "finished anyway"


def test_termination_asks_nobody(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await started(engine, "waits")
        await handle.terminate("enough")
        with pytest.raises(ExecutionTerminated, match="Terminated: enough"):
            await handle.result()
        await handle.terminate("enough")
        with pytest.raises(ExecutionClosed, match="has ended as Terminated; start a new one, or retry this one"):
            await handle.cancel()

    drive(tmp_path, use)
    assert ran == ["endless"]


def test_what_nobody_started_cannot_be_ended(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        for ask in (engine.handle("none").cancel, engine.handle("none").terminate, engine.handle("none").retry):
            with pytest.raises(UnknownExecution, match="none"):
                await ask()

    drive(tmp_path, use)


def test_a_blocked_execution_can_be_terminated_and_keeps_what_it_is_told(tmp_path: Path) -> None:
    async def right() -> str:
        await step("first")
        return await note.receive()

    async def wrong() -> str:
        return await step("other")

    wrong.__name__ = right.__name__
    flows = workflow(right), workflow(wrong)

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", flows[:1]) as engine:
            for name in ("told", "ended"):
                await engine.start("right", id=name)
            await until_asleep(engine)

    async def parked() -> None:
        async with Engine(tmp_path / "db.sqlite", flows[1:]) as engine:
            await engine.handle("told").signal(note, "heard", idempotency_key="1")
            await engine.handle("told").signal(note, "heard", idempotency_key="1")
            await engine.handle("ended").terminate("hopeless")
            with pytest.raises(ExecutionTerminated):
                await engine.result("ended")
            with pytest.raises(ExecutionBlocked):
                await engine.result("told")

    async def end() -> str:
        async with Engine(tmp_path / "db.sqlite", flows[:1]) as engine:
            return str(await engine.result("told"))

    asyncio.run(begin())
    asyncio.run(parked())
    assert asyncio.run(end()) == "heard"


def test_what_wrong_code_asked_for_is_not_what_a_message_follows_in_the_log(tmp_path: Path) -> None:
    async def right() -> str:
        await step("first")
        return await note.receive()

    async def wrong() -> str:
        await step("first")
        asking = asyncio.create_task(step("other"))
        await asyncio.sleep(0)
        step("forgotten")  # type: ignore[unused-coroutine]
        return str(asking.done()) + note.name

    wrong.__name__ = right.__name__
    flows = workflow(right), workflow(wrong)

    async def life(number: int) -> Any:
        async with Engine(tmp_path / "db.sqlite", [flows[number]]) as engine:
            handle = await engine.start("right", id="one")
            await until_asleep(engine)
            if number:
                assert engine.standing().blocked == 1
                await handle.signal(note, "heard")
                return None
            return await handle.result() if engine.standing().open == 0 else None

    assert asyncio.run(life(0)) is None
    assert asyncio.run(life(1)) is None
    assert asyncio.run(life(0)) == "heard"


@committing_at_once()
def test_a_cancellation_is_acknowledged_once_it_is_in_the_store(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        async with Engine(tmp_path / "db.sqlite", ALL, durability=SyncDurability(store)) as engine:
            starting = asyncio.create_task(engine.start(waits, id="one"))
            handle = await store.answer_until_done(starting)
            asking = asyncio.create_task(handle.cancel())
            await settle()
            assert not asking.done()
            assert engine.read.describe("one").status == Status.OPEN
            store.open()
            await asking

    asyncio.run(run())


@pytest.mark.parametrize("end", ["cancel", "terminate"])
def test_who_asks_again_before_the_end_is_written_is_answered_all_the_same(tmp_path: Path, end: str) -> None:
    @workflow
    async def listens() -> str:
        return await note.receive()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [listens]) as engine:
            handle = await engine.start(listens)
            await getattr(handle, end)()
            await getattr(handle, end)()

    asyncio.run(run())
