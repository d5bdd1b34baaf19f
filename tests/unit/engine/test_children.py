"""Do workflows call workflows, and what becomes of a child when its parent ends?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from engine_lab import kinds, until

from dormouse import (
    ActivityError,
    Engine,
    ExecutionCancelled,
    ExecutionFailed,
    InvalidDefinition,
    RetryPolicy,
    Signal,
    Workflow,
    activity,
    workflow,
)
from dormouse.engine.ending import Status

ran: list[str] = []
broken: set[str] = set()
stop = Signal("stop")


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


@workflow
async def child(name: str) -> str:
    return await step(name)


@workflow
async def lasting(name: str = "lasting") -> str:
    try:
        await stop.receive()
    except asyncio.CancelledError:
        await step(f"{name} tidied")
        raise
    return name


@workflow
async def parent() -> str:
    return "-".join(await asyncio.gather(child("a"), child("b")))


@workflow
async def forgiving() -> str:
    try:
        return await child("a")
    except ExecutionFailed as error:
        return f"{error.execution}: {error.cause_type}"


@workflow
async def leaves(how: str) -> str:
    calls = {
        "cancel": lasting.with_options(id="c"),
        "terminate": lasting.with_options(id="c", parent_close="terminate"),
        "abandon": lasting.with_options(id="c", parent_close="abandon"),
    }
    task = asyncio.create_task(calls[how]())
    await step("meanwhile")
    assert not task.done()
    return "left"


@workflow
async def gives_up() -> str:
    task = asyncio.create_task(lasting.with_options(id="c")("given up"))
    await step("meanwhile")
    task.cancel()
    return "gave up"


@workflow
async def same_id() -> str:
    try:
        return await child.with_options(id="taken")("b")
    except ExecutionFailed as error:
        return error.cause_type


ALL: list[Workflow[..., Any]] = [child, lasting, parent, forgiving, leaves, gives_up, same_id]


def drive(path: Path, use: Callable[[Engine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", ALL) as engine:
            return await use(engine)

    return asyncio.run(run())


def test_children_are_executions_of_their_own(tmp_path: Path) -> None:
    async def use(engine: Engine) -> str:
        handle = await engine.start(parent, id="one")
        result = await handle.result()
        assert await engine.result("one.1") == "a"
        assert await engine.handle("one.2", child).result() == "b"
        return result

    assert drive(tmp_path, use) == "a-b"
    assert [kind for kind, _ in kinds(tmp_path / "db.sqlite", "one")] == [
        "ExecutionStarted", "ChildStarted", "ChildStarted", "ChildCompleted", "ChildCompleted", "ExecutionCompleted",
    ]  # fmt: skip


def test_a_workflow_that_a_test_calls_is_a_plain_function() -> None:
    async def alone() -> str:
        return await child("a")

    assert asyncio.run(alone()) == "a"


def test_a_childs_failure_can_be_caught(tmp_path: Path) -> None:
    async def use(engine: Engine) -> Any:
        broken.add("a")
        return await (await engine.start(forgiving, id="one")).result()

    assert drive(tmp_path, use) == "one.1: ActivityError"


def test_a_retry_of_the_parent_retries_the_child_that_failed_it(tmp_path: Path) -> None:
    async def fails(engine: Engine) -> None:
        broken.add("b")
        with pytest.raises(ExecutionFailed, match=r"'one\.2' failed"):
            await (await engine.start(parent, id="one")).result()

    async def passes(engine: Engine) -> Any:
        broken.clear()
        await engine.recovered()
        await engine.handle("one").retry()
        return await engine.result("one")

    drive(tmp_path, fails)
    assert drive(tmp_path, passes) == "a-b"
    assert ran == ["a", "b", "b"]


@pytest.mark.parametrize(("how", "status"), [("cancel", "Cancelled"), ("terminate", "Terminated"), ("abandon", "Open")])
def test_a_childs_end_follows_from_its_parents_as_the_call_said(tmp_path: Path, how: str, status: str) -> None:
    async def use(engine: Engine) -> None:
        assert await (await engine.start(leaves, how)).result() == "left"
        await until(lambda: engine.read.describe("c").status == status)
        assert ("lasting tidied" in ran) == (how == "cancel")

    drive(tmp_path, use)


def test_a_child_that_is_not_wanted_any_more_is_cancelled(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        assert await (await engine.start(gives_up)).result() == "gave up"
        with pytest.raises(ExecutionCancelled):
            await engine.result("c")

    drive(tmp_path, use)
    assert ran == ["meanwhile", "given up tidied"]


def test_a_child_does_not_take_the_id_of_another_execution(tmp_path: Path) -> None:
    async def use(engine: Engine) -> Any:
        await engine.start(child, "a", id="taken")
        return await (await engine.start(same_id)).result()

    assert drive(tmp_path, use) == "RequestConflict"


def test_a_parent_in_a_later_life_hears_of_its_child(tmp_path: Path) -> None:
    @workflow
    async def waits() -> str:
        return await lasting.with_options(id="c")("late")

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [waits, lasting]) as engine:
            await engine.start(waits, id="one")

    async def end() -> str:
        async with Engine(tmp_path / "db.sqlite", [waits, lasting]) as engine:
            await engine.handle("c").signal(stop)
            return str(await engine.result("one"))

    asyncio.run(begin())
    assert asyncio.run(end()) == "late"


def test_a_parent_that_is_blocked_meanwhile_hears_of_its_child_later(tmp_path: Path) -> None:
    async def waits() -> str:
        return await lasting.with_options(id="c")("late")

    async def wrong() -> str:
        return await step("wrong")

    wrong.__name__ = "waits"

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [workflow(waits), lasting]) as engine:
            await engine.start("waits", id="one")

    async def parked() -> None:
        async with Engine(tmp_path / "db.sqlite", [workflow(wrong), lasting]) as engine:
            await engine.handle("c").signal(stop)
            await engine.result("c")
            assert engine.read.describe("one").status == Status.BLOCKED

    async def end() -> str:
        async with Engine(tmp_path / "db.sqlite", [workflow(waits), lasting]) as engine:
            return str(await engine.result("one"))

    asyncio.run(begin())
    asyncio.run(parked())
    assert asyncio.run(end()) == "late"


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="parent_close must be one of"):
        child.with_options(parent_close="forget")  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match="no option 'name'"):
        child.with_options(name="x")  # type: ignore[call-arg]


def test_an_error_of_a_child_names_no_activity_of_the_parent() -> None:
    assert ActivityError("a", "E", "m", 1).command is None
