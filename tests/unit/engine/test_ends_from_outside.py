"""Can an execution be cancelled, terminated and retried, and what does its code see of it?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from engine_lab import HeldStore, committing_at_once, kinds, settle, until, until_asleep

from dormouse import (
    ActivityError,
    Engine,
    ExecutionBlocked,
    ExecutionCancelled,
    ExecutionClosed,
    ExecutionFailed,
    ExecutionTerminated,
    Handle,
    NotRetryable,
    RetryPolicy,
    Signal,
    UnknownExecution,
    activity,
    activity_info,
    workflow,
)
from dormouse.engine.durability import SyncDurability
from dormouse.engine.ending import Status

ran: list[str] = []
broken: set[str] = set()
note = Signal("note", str)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()
    broken.clear()


@activity(retry=RetryPolicy(attempts=1))
async def step(name: str) -> str:
    ran.append(name)
    if name in broken:
        raise ConnectionError(f"{name} is broken")
    return name


@activity
async def endless() -> None:
    ran.append("endless")
    await asyncio.Event().wait()


@workflow
async def waits() -> str:
    try:
        await endless()
    finally:
        await step("tidied")
    return "not reached"


@workflow
async def defies() -> str:
    try:
        await endless()
    except asyncio.CancelledError:
        return await asyncio.shield(step("finished anyway"))
    return "not reached"


@workflow
async def three_steps() -> str:
    first = await step("first")
    return "-".join([first, await step("second"), await step("third")])


@workflow
async def compensates() -> str:
    await step("booked")
    try:
        await step("paid")
    except ActivityError:
        await step("unbooked")
        raise
    return await step("shipped")


@workflow
async def heeds() -> str:
    try:
        await step("first")
    except ActivityError:
        await note.receive()
        raise
    return await note.receive()


ALL = [waits, defies, three_steps, compensates, heeds]


def drive(path: Path, use: Callable[[Engine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", ALL) as engine:
            return await use(engine)

    return asyncio.run(run())


async def started(engine: Engine, name: str) -> Handle[Any]:
    handle = await engine.start(name, id="one")
    await until(lambda: "endless" in ran)
    return handle


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
