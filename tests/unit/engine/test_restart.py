"""What goes on after the process was killed? Engines on what each commit would have left behind."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from engine_lab import EveryCommit, advance, kinds, until, until_asleep

from dormouse import ActivityError, Engine, ExecutionBlocked, RetryPolicy, activity, activity_info, workflow
from dormouse.engine.clock import ManualClock
from dormouse.engine.ending import Status

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@activity
async def fetch(name: str) -> str:
    ran.append(name)
    return name.upper()


@activity(retry=RetryPolicy(initial_seconds=0, attempts=5))
async def shaky(name: str) -> str:
    ran.append(f"{name}{activity_info().attempt}")
    if activity_info().attempt < 3:
        raise ConnectionError("not yet")
    return name


@workflow
async def journey() -> str:
    first = await fetch("a")
    many = list(await asyncio.gather(fetch("b"), fetch("c"), shaky("d")))
    await asyncio.sleep(0.01)
    try:
        async with asyncio.timeout(0.005):
            await asyncio.sleep(60)
    except TimeoutError:
        many.append("late")
    return "-".join([first, *many, await fetch("e")])


def acknowledged(path: Path) -> set[str]:
    """Names of the activities whose results are in the file."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT scheduled.payload FROM event AS scheduled JOIN event AS completed USING (execution, command) "
            "WHERE scheduled.kind = 'ActivityScheduled' AND completed.kind = 'ActivityCompleted'"
        ).fetchall()
    finally:
        connection.close()
    return {payload.decode()[2:-2] for (payload,) in rows}


def test_killed_after_any_commit_it_ends_the_same_and_repeats_no_recorded_activity(tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite"
    commits = EveryCommit(database, tmp_path)

    async def live(path: Path, durability: EveryCommit | None = None) -> str:
        async with Engine(path, [journey], durability=durability) as engine:
            return await (await engine.start(journey, id="main")).result()

    expected = asyncio.run(live(database, commits))
    assert expected == "A-B-C-d-late-E"
    assert len(commits.copies) > 8
    for copy in commits.copies:
        before = acknowledged(copy)
        ran.clear()
        assert asyncio.run(live(copy)) == expected
        assert not before & set(ran)
        assert not (before & {"d"} and any(one.startswith("d") for one in ran))


def test_killed_twice_at_any_two_commits_it_still_ends_the_same(tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite"

    async def live(path: Path, durability: EveryCommit | None = None) -> str:
        async with Engine(path, [journey], durability=durability) as engine:
            return await (await engine.start(journey, id="main")).result()

    commits = EveryCommit(database, tmp_path)
    expected = asyncio.run(live(database, commits))
    for number, copy in enumerate(commits.copies[::3]):
        folder = tmp_path / str(number)
        folder.mkdir()
        again = EveryCommit(copy, folder)
        assert asyncio.run(live(copy, again)) == expected
        for second in again.copies[::3]:
            assert asyncio.run(live(second)) == expected


def test_an_attempt_whose_process_died_is_not_counted_also_when_it_is_the_last(tmp_path: Path) -> None:
    database, left = tmp_path / "db.sqlite", tmp_path / "left.sqlite"

    @activity(retry=RetryPolicy(attempts=1))
    async def only() -> int:
        if not left.exists():  # what a kill would leave at this very moment
            shutil.copy(f"{database}-wal", f"{left}-wal")
            shutil.copy(database, left)
            raise ConnectionError("in the life that goes on")
        return activity_info().attempt

    @workflow
    async def careful() -> str:
        try:
            return str(await only())
        except ActivityError as error:
            return error.cause_message

    async def live(path: Path) -> str:
        async with Engine(path, [careful]) as engine:
            return await (await engine.start(careful, id="main")).result()

    assert asyncio.run(live(database)) == "in the life that goes on"
    assert asyncio.run(live(left)) == "1"


def test_an_attempts_number_survives(tmp_path: Path) -> None:
    @activity(retry=RetryPolicy(initial_seconds=60, factor=1, attempts=3))
    async def failing() -> None:
        ran.append(str(activity_info().attempt))
        raise ConnectionError("never")

    @workflow
    async def hopeless() -> str:
        try:
            await failing()
        except Exception as error:  # noqa: BLE001 - what the test looks at
            return str(error)
        return "no"

    clock = ManualClock()

    async def one_life() -> None:
        async with Engine(tmp_path / "db.sqlite", [hopeless], clock=clock) as engine:
            await engine.start(hopeless, id="main")
            await until_asleep(engine)
            await advance(clock, engine, 60)

    for _ in range(2):
        asyncio.run(one_life())
    assert ran == ["1", "2", "3"]

    async def last() -> str:
        async with Engine(tmp_path / "db.sqlite", [hopeless], clock=clock) as engine:
            return str(await engine.result("main"))

    assert asyncio.run(last()) == "failing failed after 3 attempts: ConnectionError: never"


def test_a_sleep_goes_on_from_where_it_was_and_fires_at_once_when_it_is_over(tmp_path: Path) -> None:
    @workflow
    async def sleepy() -> str:
        await asyncio.sleep(100)
        return "awake"

    clock = ManualClock()

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [sleepy], clock=clock) as engine:
            await engine.start(sleepy, id="main")
            await until_asleep(engine)
            await advance(clock, engine, 60)

    async def too_early() -> None:
        async with Engine(tmp_path / "db.sqlite", [sleepy], clock=clock) as engine:
            await until_asleep(engine)
            await advance(clock, engine, 39)
            assert engine.standing().sleeping == 1

    async def end() -> str:
        async with Engine(tmp_path / "db.sqlite", [sleepy], clock=clock) as engine:
            return str(await engine.result("main"))

    asyncio.run(begin())
    asyncio.run(too_early())
    clock.advance(1)
    assert asyncio.run(end()) == "awake"


def test_a_cold_file_says_when_to_wake(tmp_path: Path) -> None:
    @workflow
    async def naps() -> None:
        await asyncio.gather(asyncio.sleep(10), asyncio.sleep(20))

    clock = ManualClock(0)

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [naps], clock=clock) as engine:
            await engine.start(naps, id="main")
            await until_asleep(engine)
            await advance(clock, engine, 10)

    asyncio.run(begin())
    connection = sqlite3.connect(tmp_path / "db.sqlite")
    assert connection.execute("SELECT due_at FROM timer").fetchall() == [(20_000_000,)]
    connection.close()


def test_results_that_came_in_before_the_end_are_recorded_and_running_attempts_are_not(tmp_path: Path) -> None:
    @activity
    async def quick() -> str:
        return "quick"

    @activity
    async def slow() -> str:
        ran.append("slow")
        if len(ran) == 1:
            await asyncio.Event().wait()
        return "slow"

    @workflow
    async def pair() -> list[str]:
        return list(await asyncio.gather(quick(), slow()))

    async def life(*, ends: bool) -> list[str] | None:
        async with Engine(tmp_path / "db.sqlite", [pair]) as engine:
            await engine.start(pair, id="main")
            if ends:
                await until(lambda: bool(ran))
                return None
            result: list[str] = await engine.result("main")
            return result

    assert asyncio.run(life(ends=True)) is None
    recorded = [kind for kind, _ in kinds(tmp_path / "db.sqlite", "main")]
    assert recorded == ["ExecutionStarted", "ActivityScheduled", "ActivityScheduled", "ActivityCompleted"]
    assert asyncio.run(life(ends=False)) == ["quick", "slow"]
    assert ran == ["slow", "slow"]


def test_changed_code_parks_an_execution_and_mended_code_lets_it_go_on(tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite"

    async def right() -> str:
        one = await fetch("a")
        await asyncio.sleep(3600)
        return one

    async def wrong() -> str:
        return await fetch("z")

    wrong.__name__ = right.__name__
    clock = ManualClock()

    async def begin() -> None:
        async with Engine(database, [workflow(right)], clock=clock) as engine:
            await engine.start("right", id="main")
            await until(lambda: engine.standing().sleeping == 1)

    async def parked() -> None:
        async with Engine(database, [workflow(wrong)], clock=clock) as engine:
            await engine.recovered()
            with pytest.raises(ExecutionBlocked, match=r"ActivityScheduled fetch\[\"a\"\].*fetch\[\"z\"\]"):
                await engine.result("main")
            assert engine.standing().blocked == 1
            row = engine.read.describe("main")
            assert row.status == Status.BLOCKED
            assert row.blocked is not None
            assert row.blocked.reason == "NonDeterministic"

    async def mended() -> str:
        async with Engine(database, [workflow(right)], clock=clock) as engine:
            await engine.recovered()
            assert engine.read.describe("main").status == Status.OPEN
            clock.advance(3600)
            return str(await engine.result("main"))

    asyncio.run(begin())
    before = kinds(database, "main")
    asyncio.run(parked())
    asyncio.run(parked())
    assert kinds(database, "main") == before
    assert asyncio.run(mended()) == "A"
    assert ran == ["a"]


def test_a_workflow_that_the_code_lost_is_parked(tmp_path: Path) -> None:
    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [journey]) as engine:
            await engine.start(journey, id="main")

    async def lost() -> None:
        async with Engine(tmp_path / "db.sqlite", []) as engine:
            with pytest.raises(ExecutionBlocked, match="the code has no workflow 'journey'"):
                await engine.result("main")

    asyncio.run(begin())
    asyncio.run(lost())


def test_values_that_no_longer_fit_the_annotations_park_it(tmp_path: Path) -> None:
    def nap_of(kind: type) -> object:
        async def nap(seconds: float) -> None:
            await asyncio.sleep(seconds)

        nap.__annotations__["seconds"] = kind
        return workflow(nap)

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [nap_of(float)]) as engine:  # type: ignore[list-item]
            await engine.start("nap", 3600.0, id="main")

    async def changed() -> None:
        async with Engine(tmp_path / "db.sqlite", [nap_of(str)]) as engine:  # type: ignore[list-item]
            with pytest.raises(ExecutionBlocked, match="Expected `str`, got `float`"):
                await engine.result("main")

    asyncio.run(begin())
    asyncio.run(changed())


def test_a_copy_of_the_file_goes_on_by_itself(tmp_path: Path) -> None:
    """What a restore from the store gives is a copy."""

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [journey]) as engine:
            await engine.start(journey, id="main")

    async def end() -> str:
        async with Engine(tmp_path / "copy.sqlite", [journey]) as engine:
            return str(await engine.result("main"))

    asyncio.run(begin())
    shutil.copy(tmp_path / "db.sqlite", tmp_path / "copy.sqlite")
    assert asyncio.run(end()) == "A-B-C-d-late-E"


def test_each_execution_finds_its_own_events_among_those_of_others(tmp_path: Path) -> None:
    @workflow
    async def pair(name: str) -> str:
        first = await fetch(f"{name}1")
        await asyncio.sleep(60)
        return first + await fetch(f"{name}2")

    clock = ManualClock()
    names = [chr(ord("a") + number) for number in range(10)]

    async def begin() -> None:
        async with Engine(tmp_path / "db.sqlite", [pair, journey], clock=clock) as engine:
            await asyncio.gather(*(engine.start(pair, name, id=name) for name in names))
            await until(lambda: engine.standing().sleeping == len(names))
            for name in names:
                sources = [event.payload for event in engine.read.history(name) if event.name == "fetch"]
                assert sources == [f'["{name}1"]'.encode()]

    async def end() -> None:
        async with Engine(tmp_path / "db.sqlite", [pair], clock=clock) as engine:
            clock.advance(60)
            results = await asyncio.gather(*(engine.result(name) for name in names))
            assert results == [f"{name.upper()}1{name.upper()}2" for name in names]
            history = engine.read.history("c")
            assert [event.previous for event in history] == [None, *(event.position for event in history[:-1])]
            assert engine.read.history("c", after=history[2].position, limit=2) == history[3:5]

    asyncio.run(begin())
    asyncio.run(end())
