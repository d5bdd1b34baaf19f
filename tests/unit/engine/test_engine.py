"""How is a workflow started, and what became of it?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from engine_lab import kinds, until

from dormouse import (
    Engine,
    EngineStopped,
    ExecutionFailed,
    InvalidDefinition,
    InvalidInput,
    RequestConflict,
    RetryPolicy,
    UnknownExecution,
    UnknownWorkflow,
    activity,
    workflow,
)
from dormouse.engine.ending import Status


@dataclass(frozen=True)
class Trip:
    city: str
    days: int = 1


@activity
async def nights(trip: Trip) -> int:
    return trip.days - 1


@workflow
async def travel(trip: Trip) -> int:
    return await nights(trip)


@workflow
async def rest(seconds: float = 3600) -> float:
    await asyncio.sleep(seconds)
    return seconds


@workflow
async def careless() -> None:
    raise ZeroDivisionError("nothing left")


def with_engine(path: Path, scenario: Callable[[Engine], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Engine(path / "db.sqlite", [travel, rest, careless]) as engine:
            await scenario(engine)

    asyncio.run(run())


def test_a_result_has_the_declared_type(tmp_path: Path) -> None:
    @workflow
    async def longer(trip: Trip) -> Trip:
        return Trip(trip.city, trip.days + await nights(trip))

    async def run() -> Trip:
        async with Engine(tmp_path / "db.sqlite", [longer]) as engine:
            return await (await engine.start(longer, Trip("Bonn", 4))).result()

    assert asyncio.run(run()) == Trip("Bonn", 7)


def test_a_module_offers_its_workflows(tmp_path: Path) -> None:
    module = ModuleType("offered")
    module.__dict__.update(travel=travel, unrelated=3)
    assert list(Engine(tmp_path / "db.sqlite", module).workflows) == ["travel"]


def test_two_workflows_of_one_name_are_refused(tmp_path: Path) -> None:
    @workflow
    async def travel() -> None: ...

    with pytest.raises(InvalidDefinition, match="two workflows are named 'travel'"):
        Engine(tmp_path / "db.sqlite", [travel, globals()["travel"]])


def test_the_same_id_with_the_same_request_is_the_same_execution(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        first, second = await asyncio.gather(*(engine.start(travel, Trip("Bonn"), id="a") for _ in range(2)))
        assert sorted([first.created, second.created]) == [False, True]
        assert await first.result() == await second.result() == 0
        third = await engine.start("travel", {"city": "Bonn", "days": 1}, id="a")
        assert not third.created

    with_engine(tmp_path, scenario)


def test_the_same_id_with_another_request_is_a_conflict(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start(travel, Trip("Bonn"), id="a")
        with pytest.raises(RequestConflict, match="'a'"):
            await engine.start(travel, Trip("Ulm"), id="a")

    with_engine(tmp_path, scenario)


def test_an_idempotency_key_finds_its_execution_while_open_and_when_closed(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        first = await engine.start(travel, Trip("Bonn"), idempotency_key="k")
        open_still = await engine.start(travel, Trip("Bonn"), idempotency_key="k")
        await first.result()
        closed = await engine.start(travel, Trip("Bonn"), idempotency_key="k")
        assert {first.id} == {open_still.id, closed.id}
        with pytest.raises(RequestConflict):
            await engine.start(travel, Trip("Ulm"), idempotency_key="k")
        with pytest.raises(RequestConflict):
            await engine.start(travel, Trip("Bonn"), idempotency_key="k", id="mine")

    with_engine(tmp_path, scenario)


def test_an_input_that_does_not_fit_is_named_by_its_path(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(InvalidInput, match=r"Expected `int`, got `str` - at `\$\.days`"):
            await engine.start("travel", {"city": "Bonn", "days": "two"})
        with pytest.raises(InvalidInput, match="travel needs an input"):
            await engine.start("travel")
        with pytest.raises(InvalidInput, match="careless takes no input"):
            await engine.start("careless", 3)
        assert engine.standing().open == 0

    with_engine(tmp_path, scenario)


@pytest.mark.parametrize("wrong", ["", "a/b", "-a", "a" * 201, "a b"])
def test_an_id_that_cannot_be_part_of_a_url_is_refused(tmp_path: Path, wrong: str) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(InvalidInput, match="cannot be an id"):
            await engine.start(rest, id=wrong)

    with_engine(tmp_path, scenario)


def test_an_unknown_workflow_names_those_that_there_are(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(UnknownWorkflow, match="there are: travel, rest, careless"):
            await engine.start("journey")

    with_engine(tmp_path, scenario)


def test_an_unknown_execution_says_so(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        for ask in (engine.read.describe, engine.read.history):
            with pytest.raises(UnknownExecution, match="'nobody'"):
                ask("nobody")
        with pytest.raises(UnknownExecution, match="'nobody'"):
            await engine.result("nobody")

    with_engine(tmp_path, scenario)


def test_a_workflow_that_raises_fails_with_type_and_message(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        handle = await engine.start(careless)
        with pytest.raises(ExecutionFailed, match="ZeroDivisionError: nothing left") as caught:
            await handle.result()
        assert caught.value.cause_type == "ZeroDivisionError"
        assert engine.read.describe(handle.id).status == Status.FAILED

    with_engine(tmp_path, scenario)


def test_who_waits_is_told_when_the_engine_stops(tmp_path: Path) -> None:
    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [rest]) as engine:
            waiting = asyncio.create_task((await engine.start(rest)).result())
            await asyncio.sleep(0)
        with pytest.raises(EngineStopped, match="the next one on this file goes on"):
            await waiting
        with pytest.raises(EngineStopped):
            await engine.start(rest)

    asyncio.run(run())


def test_an_engine_that_is_about_to_end_takes_nothing_more(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> None:
        engine.refuse_more()
        with pytest.raises(EngineStopped, match="the next one will answer"):
            await engine.start(rest)

    with_engine(tmp_path, scenario)


def test_all_that_is_ready_together_is_one_transaction(tmp_path: Path) -> None:
    commits: list[str] = []

    async def scenario(engine: Engine) -> None:
        engine._database._writer.set_trace_callback(
            lambda statement: commits.append(statement) if statement == "COMMIT" else None
        )
        handles = await asyncio.gather(*(engine.start(travel, Trip(str(n)), id=str(n)) for n in range(50)))
        await asyncio.gather(*(handle.result() for handle in handles))

    with_engine(tmp_path, scenario)
    assert len(commits) < 20
    assert len(kinds(tmp_path / "db.sqlite", "49")) == 4


def test_a_disk_that_is_full_ends_the_engine_and_tells_who_waits(tmp_path: Path) -> None:
    async def run() -> None:
        engine = Engine(tmp_path / "db.sqlite", [rest])
        async with engine:
            pages = engine._database._writer.execute("PRAGMA page_count").fetchone()[0]
            engine._database._writer.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(EngineStopped, match="full") as caught:
                await asyncio.gather(*(engine.start(rest, id=f"{number:0200d}") for number in range(1000)))
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
            assert engine.failure.done()

    asyncio.run(run())


def test_the_standing_counts_what_each_execution_does(tmp_path: Path) -> None:
    @activity(retry=RetryPolicy(initial_seconds=3600, maximum_seconds=3600))
    async def failing() -> None:
        raise ValueError("no")

    @activity
    async def endless() -> None:
        await asyncio.Event().wait()

    @workflow
    async def retrying() -> None:
        await failing()

    @workflow
    async def busy() -> None:
        await endless()

    @workflow
    async def waiting() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [retrying, busy, waiting, rest]) as engine:
            for one in (retrying, busy, waiting):
                await engine.start(one)
            await engine.start(rest, 7200.0)
            await until(lambda: engine.standing().retrying == 1)
            standing = engine.standing()
            assert (standing.open, standing.running, standing.waiting, standing.sleeping) == (4, 1, 1, 1)
            assert not standing.can_hibernate
            assert standing.idle_since is None
            assert standing.next_wake_at is not None

    asyncio.run(run())
