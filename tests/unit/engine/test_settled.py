"""Is it known, without polling, when nothing more happens by itself?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from engine_lab import HeldStore

from dormouse import Engine, EngineStopped, RetryPolicy, Signal, activity, workflow
from dormouse.engine.clock import ManualClock
from dormouse.engine.durability import SyncDurability

go = Signal("go")
ran: list[str] = []


@activity
async def step(name: str) -> str:
    for _ in range(3):
        await asyncio.sleep(0.001)
    ran.append(name)
    return name


@activity
async def endless() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.02)  # longer than what the workflow does next takes
        ran.append("tidied")


@activity(retry=RetryPolicy(initial_seconds=60, attempts=2))
def broken() -> None:
    ran.append("broken")
    raise ConnectionError("no")


@workflow
async def steps(name: str) -> None:
    for number in range(3):
        await step(f"{name}{number}")
    await asyncio.sleep(60)
    await go.receive()
    await step("last")


@workflow
async def impatient() -> None:
    try:
        async with asyncio.timeout(60):
            await endless()
    except TimeoutError:
        await asyncio.sleep(3600)


@workflow
async def retries() -> None:
    await broken()


def test_it_settles_when_only_the_clock_or_a_message_can_go_on(tmp_path: Path) -> None:
    async def run() -> None:
        ran.clear()
        clock = ManualClock()
        async with Engine(tmp_path / "db.sqlite", [steps], clock=clock) as engine:
            handles = [await engine.start(steps, name, id=name) for name in "abc"]
            await engine.settled()
            assert sorted(ran) == [f"{name}{number}" for name in "abc" for number in range(3)]
            due = clock.next_due()
            assert due == clock.now() + 60_000_000
            clock.jump_to(due)
            await engine.settled()
            assert engine.standing().waiting == 3
            assert clock.next_due() is None
            for handle in handles:
                await handle.signal(go)
            await engine.settled()
            assert engine.standing().open == 0

    asyncio.run(run())


def test_an_attempt_that_is_given_up_and_one_that_waits_for_its_retry_settle_too(tmp_path: Path) -> None:
    async def run() -> None:
        ran.clear()
        clock = ManualClock()
        async with Engine(tmp_path / "db.sqlite", [impatient, retries], clock=clock) as engine:
            handle = await engine.start(retries)
            await engine.settled()
            assert ran == ["broken"]
            await handle.terminate()
            await engine.start(impatient)
            async with asyncio.timeout(60):
                while engine.standing().running == 0 or clock.next_due() is None:
                    await asyncio.sleep(0)
                clock.advance(60)
                await engine.settled()
            assert ran == ["broken", "tidied"]
            assert engine.standing().sleeping == 1

    asyncio.run(run())


def test_what_does_not_count_yet_is_not_settled(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        store.open()
        async with Engine(tmp_path / "db.sqlite", [steps], durability=SyncDurability(store)) as engine:
            await engine.settled()
            store.close()
            starting = asyncio.ensure_future(engine.start(steps, "a"))
            settled = asyncio.ensure_future(engine.settled())
            while not store.asked:
                await asyncio.sleep(0)
            assert not settled.done()
            store.open()
            await starting
            await settled
            await engine.settled()
            assert engine.standing().sleeping == 1

    asyncio.run(run())


def test_an_engine_that_cannot_write_settles(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        store.open()
        async with Engine(tmp_path / "db.sqlite", [steps], durability=SyncDurability(store)) as engine:
            await engine.settled()
            store.broken = ConnectionError("fenced")
            asking = asyncio.ensure_future(engine.start(steps, "a"))
            await engine.settled()
            await engine.failure
            assert isinstance(engine.failure.result(), ConnectionError)
            await engine.settled()
            with pytest.raises(EngineStopped, match="fenced"):
                await asking

    asyncio.run(run())
