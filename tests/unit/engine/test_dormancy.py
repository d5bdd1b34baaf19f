"""What leaves memory, and does it come back as it was? With a clock that jumps and code that says when it runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from engine_lab import HeldStore, committing_at_once, settle, until, until_asleep

from dormouse import (
    Engine,
    ExecutionBlocked,
    ExecutionCancelled,
    ExecutionTerminated,
    Query,
    Signal,
    Update,
    activity,
    workflow,
)
from dormouse.engine.clock import ManualClock
from dormouse.engine.durability import Durability, SyncDurability
from dormouse.engine.execution import Execution

began: list[str] = []
"""Each run of a workflow's code from its start, replays included."""
note = Signal("note", str)
count = Query("count", int)
add = Update("add", int, int)


@pytest.fixture(autouse=True)
def nothing_began() -> None:
    began.clear()


@activity
async def fetch(name: str) -> str:
    return name.upper()


@workflow
async def sleeper(name: str) -> str:
    began.append(name)
    first = await fetch(name)
    await asyncio.sleep(3600)
    return first + await fetch(name)


@workflow
async def listener() -> str:
    began.append("listener")
    total = 0

    def answer(number: int) -> int:
        nonlocal total
        total += number
        return total

    count.answer(lambda: total)
    add.answer(answer)
    return f"{await note.receive()} {total}"


@workflow
async def parent() -> str:
    began.append("parent")
    return await sleeper.with_options(id="child")("c")


def drive(
    path: Path,
    use: Callable[[Engine, ManualClock], Awaitable[None]],
    *,
    resting: int = 0,
    clock: ManualClock | None = None,
    durability: Durability | None = None,
) -> None:
    async def run() -> None:
        time = clock or ManualClock()
        async with Engine(
            path / "db.sqlite",
            [sleeper, listener, parent],
            clock=time,
            resting_in_memory=resting,
            durability=durability,
        ) as engine:
            await engine.recovered()
            await use(engine, time)

    asyncio.run(run())


async def start_sleepers(engine: Engine) -> None:
    for name in "abcde":
        await engine.start(sleeper, name, id=name)
    await until_asleep(engine)


def in_memory(engine: Engine) -> set[str]:
    return {running.execution.id for running in engine._registry}


def test_those_that_have_waited_longest_leave_memory_and_all_are_counted(tmp_path: Path) -> None:
    async def use(engine: Engine, clock: ManualClock) -> None:
        await start_sleepers(engine)
        assert in_memory(engine) == {"d", "e"}
        standing = engine.standing()
        assert (standing.open, standing.sleeping, standing.running) == (5, 5, 0)
        assert standing.next_wake_at == clock.now() + 3_600_000_000
        assert {one.id for one in engine.read.who("sleeping", 9)} == set("abcde")
        await until(lambda: engine.read.waits_for("a"))
        (waiting,) = engine.read.waits_for("a")
        assert (waiting.kind, waiting.due) == ("timer", standing.next_wake_at)

    drive(tmp_path, use, resting=2)


def test_of_those_that_ended_nothing_stays_in_memory(tmp_path: Path) -> None:
    async def use(engine: Engine, clock: ManualClock) -> None:
        await start_sleepers(engine)
        for name in "abcde":
            await engine.handle(name).terminate()
        await engine.start(sleeper, "f", id="f")
        await until_asleep(engine)
        gc.collect()
        executions = [one for one in gc.get_objects() if isinstance(one, Execution)]
        assert [one.id for one in executions if one._journal is engine._turns.journal] == ["f"]

    drive(tmp_path, use, resting=2)


@committing_at_once()
def test_what_wakes_soon_and_what_works_stays_in_memory(tmp_path: Path) -> None:
    goes_on = asyncio.Event()

    @activity
    async def works() -> None:
        await goes_on.wait()

    @workflow
    async def naps() -> None:
        await asyncio.sleep(30)

    @workflow
    async def working() -> None:
        await asyncio.gather(works(), asyncio.sleep(3600))

    async def run() -> None:
        path = tmp_path / "db.sqlite"
        async with Engine(path, [naps, working], clock=ManualClock(), resting_in_memory=0) as engine:
            await engine.start(naps, id="naps")
            await engine.start(working, id="works")
            await until(lambda: engine.standing().sleeping == 1)
            await settle()
            assert in_memory(engine) == {"naps", "works"}
            goes_on.set()
            await until(lambda: in_memory(engine) == {"naps"})

    asyncio.run(run())


@committing_at_once()
def test_their_timers_ring_and_who_waits_for_their_result_gets_it(tmp_path: Path) -> None:
    async def use(engine: Engine, clock: ManualClock) -> None:
        await start_sleepers(engine)
        results = [asyncio.create_task(engine.result(name)) for name in "abcde"]
        await settle()
        assert in_memory(engine) == set()
        clock.advance(3600)
        assert [await one for one in results] == ["AA", "BB", "CC", "DD", "EE"]
        assert began == [*"abcde", *"abcde"]

    drive(tmp_path, use)


def test_the_next_life_replays_none_of_them_and_their_timers_ring_all_the_same(tmp_path: Path) -> None:
    clock = ManualClock()

    async def first(engine: Engine, _: ManualClock) -> None:
        await start_sleepers(engine)

    async def second(engine: Engine, _: ManualClock) -> None:
        assert engine.standing().sleeping == 5
        assert began == []
        clock.advance(3600)
        assert await engine.result("a") == "AA"

    drive(tmp_path, first, clock=clock)
    began.clear()
    drive(tmp_path, second, clock=clock)


def test_what_became_due_between_two_lives_goes_on_at_once(tmp_path: Path) -> None:
    clock = ManualClock()

    async def first(engine: Engine, _: ManualClock) -> None:
        await start_sleepers(engine)

    async def second(engine: Engine, _: ManualClock) -> None:
        assert await engine.result("e") == "EE"

    drive(tmp_path, first, clock=clock)
    clock.advance(7200)
    drive(tmp_path, second, clock=clock)


async def a_dormant_listener(engine: Engine) -> None:
    await engine.start(listener, id="one")
    await until(lambda: not in_memory(engine))
    await until(lambda: [one.name for one in engine.read.waits_for("one")] == ["note"])
    assert engine.standing().waiting == 1


def test_messages_wake_it_and_find_it_as_it_was(tmp_path: Path) -> None:
    async def use(engine: Engine, _: ManualClock) -> None:
        await a_dormant_listener(engine)
        handle = engine.handle("one", listener)
        assert await handle.update(add, 2, idempotency_key="k") == 2
        await until(lambda: not in_memory(engine))
        assert await handle.query(count) == 2
        await until(lambda: not in_memory(engine))
        assert await handle.update(add, 2, idempotency_key="k") == 2
        await handle.signal(note, "heard")
        assert await handle.result() == "heard 2"

    drive(tmp_path, use)


def test_it_can_be_cancelled_and_terminated(tmp_path: Path) -> None:
    async def use(engine: Engine, _: ManualClock) -> None:
        await a_dormant_listener(engine)
        await engine.handle("one").cancel()
        with pytest.raises(ExecutionCancelled):
            await engine.result("one")
        await engine.start(sleeper, "a", id="other")
        await until(lambda: not in_memory(engine))
        await engine.handle("other").terminate()
        with pytest.raises(ExecutionTerminated):
            await engine.result("other")
        assert engine.standing().next_wake_at is None

    drive(tmp_path, use)


def test_the_same_request_finds_it_and_does_not_wake_it(tmp_path: Path) -> None:
    async def use(engine: Engine, _: ManualClock) -> None:
        await engine.start(sleeper, "a", id="one", idempotency_key="k")
        await until(lambda: not in_memory(engine))
        again = await engine.start(sleeper, "a", idempotency_key="k")
        assert (again.id, again.created) == ("one", False)
        assert began == ["a"]

    drive(tmp_path, use)


def test_parents_and_children_find_each_other(tmp_path: Path) -> None:
    async def use(engine: Engine, clock: ManualClock) -> None:
        await engine.start(parent, id="one")
        await engine.start(listener, id="unrelated")
        await until(lambda: engine.standing().open == 3 and not in_memory(engine))
        clock.advance(3600)
        assert await engine.result("one") == "CC"

    drive(tmp_path, use)


def test_a_parent_that_ends_takes_its_dormant_child_with_it(tmp_path: Path) -> None:
    async def use(engine: Engine, _: ManualClock) -> None:
        await engine.start(parent, id="one")
        await until(lambda: engine.standing().open == 2 and not in_memory(engine))
        await engine.handle("one").terminate()
        with pytest.raises(ExecutionCancelled):
            await engine.result("child")

    drive(tmp_path, use)


def test_code_that_has_changed_meanwhile_is_found_out_when_it_wakes(tmp_path: Path) -> None:
    clock = ManualClock()

    async def changed(name: str) -> str:
        return await fetch(f"not {name}")

    changed.__name__ = "sleeper"

    async def first(engine: Engine, _: ManualClock) -> None:
        await engine.start(sleeper, "a", id="one")
        await until(lambda: not in_memory(engine))

    async def second() -> None:
        async with Engine(tmp_path / "db.sqlite", [workflow(changed)], clock=clock) as engine:
            assert engine.standing().blocked == 0
            clock.advance(3600)
            with pytest.raises(ExecutionBlocked, match="fetch"):
                await engine.result("one")
            assert engine.standing().blocked == 1

    async def third(engine: Engine, _: ManualClock) -> None:
        assert await engine.result("one") == "AA"

    drive(tmp_path, first, clock=clock)
    asyncio.run(second())
    drive(tmp_path, third, clock=clock)


@committing_at_once()
def test_none_leaves_before_the_store_has_all_of_it(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        durability = SyncDurability(store)
        async with Engine(tmp_path / "db.sqlite", [listener], resting_in_memory=0, durability=durability) as engine:
            starting = asyncio.create_task(engine.start(listener, id="one"))
            await store.answer_until_done(starting)
            await until(lambda: not in_memory(engine))
            telling = asyncio.create_task(engine.handle("one").signal(note, "heard"))
            await settle()
            assert in_memory(engine) == {"one"}
            store.open()
            await telling
            assert await engine.result("one") == "heard 0"

    asyncio.run(run())


@committing_at_once()
def test_an_engine_with_dormant_executions_is_not_done(tmp_path: Path) -> None:
    async def use(engine: Engine, clock: ManualClock) -> None:
        await engine.start(sleeper, "a", id="one")
        await until(lambda: not in_memory(engine))
        closed: Any = asyncio.create_task(engine.refuse_more_once_all_closed())
        await settle()
        assert not closed.done()
        clock.advance(3600)
        await closed

    drive(tmp_path, use)
