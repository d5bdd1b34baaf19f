"""What can be seen before it counts? With a store that answers only when told: nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

import pytest
from engine_lab import HeldStore, committing_at_once, settle, until

from dormouse import Engine, EngineStopped, Signal, UnknownExecution, activity, workflow
from dormouse.engine.clock import ManualClock
from dormouse.engine.durability import SyncDurability
from dormouse.engine.ending import Status

ran: list[str] = []
note = Signal("note", str)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@activity
async def step(name: str) -> str:
    ran.append(name)
    return name


@workflow
async def two_steps(name: str) -> str:
    return await step(f"{name}1") + await step(f"{name}2")


@workflow
async def listens() -> str:
    return await note.receive()


@workflow
async def late_steps() -> str:
    await asyncio.sleep(60)
    return await step("late")


clock = ManualClock()


class Held:
    """An engine whose store answers one question at a time."""

    def __init__(self, path: Path, *, all_counts: bool = False) -> None:
        self.store = HeldStore()
        self.engine = Engine(
            path / "db.sqlite",
            [two_steps, listens, late_steps],
            durability=SyncDurability(self.store),
            clock=clock,
            all_counts=all_counts,
        )

    async def __aenter__(self) -> Self:
        with committing_at_once():
            await self.engine.__aenter__()
        await settle()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.store.open()
        await self.engine.close()

    async def answer(self) -> None:
        """Let the barrier that is waiting return, and hold the next one."""
        self.store.answer()
        await settle()


def test_nothing_starts_before_its_call_is_in_the_store(tmp_path: Path) -> None:
    async def run() -> None:
        async with Held(tmp_path) as held:
            engine = held.engine
            await held.answer()
            starting = asyncio.create_task(engine.start(two_steps, "a", id="a"))
            await settle()
            assert ran == []
            assert not starting.done()
            with pytest.raises(UnknownExecution):
                engine.read.describe("a")
            await held.answer()
            assert (await starting).id == "a"
            assert ran == ["a1"]
            await held.answer()
            assert ran == ["a1", "a2"]

    asyncio.run(run())


def test_a_result_is_not_shown_before_it_is_in_the_store(tmp_path: Path) -> None:
    async def run() -> None:
        async with Held(tmp_path) as held:
            engine = held.engine
            await held.answer()
            starting = asyncio.create_task(engine.start(two_steps, "a", id="a"))
            await settle()
            await held.answer()
            result = asyncio.create_task((await starting).result())
            for _ in range(2):
                await held.answer()
            await until(lambda: (row := engine.read.recorded("a")) is not None and row.status.closed)
            assert not result.done()
            assert engine.read.describe("a").status == Status.OPEN
            assert "ExecutionCompleted" not in {event.kind for event in engine.read.history("a")}
            await held.answer()
            assert await result == "a1a2"
            assert engine.read.describe("a").status == Status.COMPLETED

    asyncio.run(run())


def test_commits_go_on_while_a_barrier_is_waited_for_and_the_next_covers_them_all(tmp_path: Path) -> None:
    async def run() -> None:
        async with Held(tmp_path) as held:
            engine = held.engine
            await held.answer()
            first = asyncio.create_task(engine.start(listens, id="first"))
            await settle()
            others = [asyncio.create_task(engine.start(listens, id=str(n))) for n in range(5)]
            await settle()
            assert engine.read.recorded("4") is not None
            await held.answer()
            assert first.done()
            assert not any(one.done() for one in others)
            asked = held.store.asked
            await held.answer()
            assert all(one.done() for one in others)
            assert held.store.asked == asked

    asyncio.run(run())


def test_after_a_restart_nothing_goes_on_before_what_the_file_holds_is_in_the_store(tmp_path: Path) -> None:
    async def crash() -> None:
        async with Held(tmp_path) as held:
            engine = held.engine
            await held.answer()
            starting = asyncio.create_task(engine.start(two_steps, "a", id="a"))
            await until(lambda: engine.read.recorded("a") is not None)
            held.store.broken = ConnectionError("the keeper is gone")
            held.store.open()
            with pytest.raises(EngineStopped):
                await starting

    async def restarted() -> None:
        async with Held(tmp_path) as held:
            engine = held.engine
            again = asyncio.create_task(engine.start(two_steps, "a", id="a"))
            await settle()
            assert ran == []
            assert not again.done()
            held.store.open()
            assert not (await again).created
            assert await engine.result("a") == "a1a2"

    asyncio.run(crash())
    assert ran == []
    asyncio.run(restarted())


def test_when_the_keeper_says_stop_the_engine_fails_and_nothing_more_starts(tmp_path: Path) -> None:
    async def run() -> None:
        async with Held(tmp_path) as held:
            engine = held.engine
            await held.answer()
            starting = asyncio.create_task(engine.start(two_steps, "a", id="a"))
            await settle()
            held.store.broken = PermissionError("fenced")
            held.store.open()
            with pytest.raises(EngineStopped, match="fenced"):
                await starting
            assert isinstance(engine.failure.result(), PermissionError)
            assert ran == []

    asyncio.run(run())


def test_what_came_from_the_store_goes_on_at_once_and_what_follows_waits(tmp_path: Path) -> None:
    async def first_life() -> None:
        async with Held(tmp_path) as held:
            held.store.open()
            await held.engine.start(late_steps, id="a")
            await until(lambda: held.engine.standing().sleeping == 1)

    async def restored() -> None:
        async with Held(tmp_path, all_counts=True) as held:
            await until(lambda: held.store.asked == 1)
            await settle()
            assert ran == []
            held.store.open()
            assert await held.engine.result("a") == "late"

    asyncio.run(first_life())
    clock.advance(60)
    asyncio.run(restored())
