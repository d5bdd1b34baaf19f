"""Do the executions that a fork has from its source stand still until somebody lets them go on?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from dormouse import Engine, ExecutionClosed, ExecutionPaused, Query, Signal, activity, activity_info, workflow
from dormouse.client.file import DatabaseFile
from dormouse.engine.clock import ManualClock
from dormouse.engine.pausing import ASKED, family_of

charged: list[str] = []
go = Signal("go", str)
heard = Query("heard", list)


@activity
async def charge(what: str) -> str:
    charged.append(activity_info().idempotency_key)
    return what


@workflow
async def pays_later() -> str:
    await asyncio.sleep(3600)
    return await charge("later")


@workflow
async def pays_when_told() -> str:
    said: list[str] = []
    heard.answer(lambda: said)
    said.append(await go.receive())
    return await charge(said[0])


@workflow
async def calls_another() -> str:
    return await pays_when_told.with_options(id="child")() + " heard"


ALL = [pays_later, pays_when_told, calls_another]


def pause(path: Path) -> None:
    """As the keeper does, which knows none of the engine's tables."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO dormouse_meta VALUES (?, 'true')", (ASKED,))


def fork_of(path: Path, begin: Callable[[Engine], Awaitable[object]], clock: ManualClock) -> Path:
    """What a life has left behind, copied and paused."""

    async def life() -> None:
        async with Engine(path, ALL, clock=clock, identity="source") as engine:
            await begin(engine)
            await engine.settled()

    asyncio.run(life())
    copy = path.with_name("fork.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    pause(copy)
    charged.clear()
    return copy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "source.db"


def test_no_timer_of_a_paused_execution_rings_before_it_is_resumed_in_this_life_or_a_later_one(path: Path) -> None:
    clock = ManualClock()
    copy = fork_of(path, lambda engine: engine.start(pays_later, id="one"), clock)

    async def story() -> None:
        clock.advance(7200)
        for _ in range(2):
            async with Engine(copy, ALL, clock=clock, identity="fork") as engine:
                await engine.settled()
                standing = engine.standing()
                assert (standing.open, standing.waiting, standing.next_wake_at) == (1, 1, None)
                assert [one.kind for one in (await engine.handle("one").show()).waits_for or ()] == ["resume"]
                assert [event.kind for event in await engine.handle("one").history()][-1] == "TimerSet"
        assert charged == []
        async with Engine(copy, ALL, clock=clock, identity="fork") as engine:
            assert await engine.resume() == 1
            assert await engine.handle("one").result(timeout=20) == "later"
            assert await engine.resume() == 0
        assert [key.partition("/")[0] for key in charged] == ["fork"]

    asyncio.run(story())


def test_messages_to_a_paused_execution_are_refused_and_say_how_it_goes_on(path: Path) -> None:
    clock = ManualClock()
    copy = fork_of(path, lambda engine: engine.start(pays_when_told, id="one"), clock)

    async def story() -> None:
        async with Engine(copy, ALL, clock=clock) as engine:
            one = engine.handle("one")
            for asking in (one.signal(go, "now"), one.query(heard), one.cancel(), one.terminate()):
                with pytest.raises(ExecutionPaused, match="dormouse resume TARGET --execution one"):
                    await asking
            assert (await engine.start(pays_when_told, id="one")).created is False
            # What begins in the fork itself is not paused.
            other = await engine.start(pays_when_told, id="two")
            await other.signal(go, "mine")
            assert await other.result(timeout=20) == "mine"
            assert (await one.resume()).status == "Open"
            await one.resume()  # it goes on already
            await one.signal(go, "now")
            assert await one.result(timeout=20) == "now"
            with pytest.raises(ExecutionClosed):
                await one.resume()

    asyncio.run(story())


def test_a_file_says_of_a_paused_execution_that_it_waits_for_somebody_to_resume_it(path: Path) -> None:
    clock = ManualClock()
    copy = fork_of(path, lambda engine: engine.start(pays_later, id="one"), clock)

    async def life() -> None:
        async with Engine(copy, ALL, clock=clock):
            pass

    asyncio.run(life())
    with DatabaseFile(copy) as file:
        assert [one.kind for one in file.show("one").waits_for or ()] == ["resume"]


def test_what_was_resumed_goes_on_in_every_later_life(path: Path) -> None:
    clock = ManualClock()
    copy = fork_of(path, lambda engine: engine.start(pays_when_told, id="one"), clock)

    async def story() -> None:
        async with Engine(copy, ALL, clock=clock) as engine:
            await engine.handle("one").resume()
        async with Engine(copy, ALL, clock=clock) as engine:
            await engine.handle("one").signal(go, "now")
            assert await engine.handle("one").result(timeout=20) == "now"

    asyncio.run(story())


def test_a_family_is_resumed_whole(path: Path) -> None:
    clock = ManualClock()

    async def begin(engine: Engine) -> None:
        await engine.start(calls_another, id="parent")
        await engine.start(pays_later, id="other")

    copy = fork_of(path, begin, clock)

    async def story() -> None:
        async with Engine(copy, ALL, clock=clock) as engine:
            await engine.handle("child").resume()
            await engine.handle("child").signal(go, "child")
            assert await engine.handle("parent").result(timeout=20) == "child heard"
            with pytest.raises(ExecutionPaused):
                await engine.handle("other").cancel()

    asyncio.run(story())


def test_a_life_with_paused_executions_has_not_come_to_its_end(path: Path) -> None:
    clock = ManualClock()
    copy = fork_of(path, lambda engine: engine.start(pays_when_told, id="one"), clock)

    async def story() -> None:
        async with Engine(copy, ALL, clock=clock) as engine:
            # One that began here comes to its end, and with it all that is not paused.
            two = await engine.start(pays_when_told, id="two")
            closed = asyncio.create_task(engine.refuse_more_once_all_closed())
            await two.signal(go, "mine")
            await two.result(timeout=20)
            await engine.settled()
            assert not closed.done()
            await engine.handle("one").resume()
            await engine.handle("one").signal(go, "now")
            await asyncio.wait_for(closed, 20)

    asyncio.run(story())


def test_who_belongs_together_is_found_from_any_of_them() -> None:
    parents = {1: None, 2: 1, 3: 2, 4: 1, 5: None, 6: 99}
    assert family_of(3, parents) == family_of(1, parents) == {1, 2, 3, 4}
    assert family_of(5, parents) == {5}
    assert family_of(6, parents) == {6}  # its caller has ended
