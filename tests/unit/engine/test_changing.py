"""Does an execution live long: through new runs of itself, changed code, and files of other versions?"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from engine_lab import kinds, until, until_asleep

from dormouse import (
    Engine,
    NewerFile,
    Signal,
    activity,
    activity_info,
    continue_as_new,
    patched,
    random,
    workflow,
    workflow_info,
)
from dormouse.engine.schema import MIGRATIONS

ran: list[str] = []
go_on = Signal("go_on", str)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@activity
async def step(name: str) -> str:
    ran.append(name)
    return activity_info().idempotency_key.rpartition("/")[2]


def test_a_new_run_has_an_empty_log_new_numbers_and_other_chance(tmp_path: Path) -> None:
    chances: list[float] = []

    @workflow
    async def rounds(number: int = 0) -> list[str]:
        chances.append(random())
        key = await step(f"round {number}")
        if number < 2:
            continue_as_new(number + 1)
        return [key, str(workflow_info().history_length)]

    async def run() -> list[str]:
        async with Engine(tmp_path / "db.sqlite", [rounds]) as engine:
            result = await (await engine.start(rounds, id="one")).result()
            events = engine.read.history("one")
            assert events[0].kind == "ExecutionContinued"
            assert len(events) == 4
            return result

    assert asyncio.run(run()) == ["3", "3"]
    assert ran == ["round 0", "round 1", "round 2"]
    assert len(set(chances)) == 3


def test_signals_that_nobody_has_received_go_with_it(tmp_path: Path) -> None:
    @workflow
    async def one_each(heard: list[str]) -> list[str]:
        heard.append(await go_on.receive())
        await asyncio.sleep(0)
        if len(heard) < 3:
            continue_as_new(heard)
        return heard

    async def run() -> list[str]:
        async with Engine(tmp_path / "db.sqlite", [one_each]) as engine:
            handle = await engine.start(one_each, [])
            await asyncio.gather(*(handle.signal(go_on, word) for word in "abc"))
            return await handle.result()

    assert asyncio.run(run()) == ["a", "b", "c"]


def test_signals_that_wait_through_a_new_run_are_received_in_it_also_in_a_later_life(tmp_path: Path) -> None:
    begin = Signal("begin")

    @workflow
    async def late(number: int = 0) -> list[str]:
        if number == 0:
            await begin.receive()
            continue_as_new(1)
        heard: list[str] = []
        await begin.receive()
        while len(heard) < 3:
            heard.append(await go_on.receive())
        return heard

    async def first() -> None:
        async with Engine(tmp_path / "db.sqlite", [late]) as engine:
            handle = await engine.start(late, id="one")
            for word in "abc":
                await handle.signal(go_on, word)
            await handle.signal(begin)
            new_log = ["ExecutionContinued", *["SignalReceived"] * 3]
            await until(lambda: [event.kind for event in engine.read.history("one")] == new_log)
            if in_one_life:
                await handle.signal(begin)
                assert await handle.result() == ["a", "b", "c"]

    async def second() -> list[str]:
        async with Engine(tmp_path / "db.sqlite", [late]) as engine:
            handle = engine.handle("one", late)
            await handle.signal(begin)
            return await handle.result()

    in_one_life = False
    asyncio.run(first())
    assert asyncio.run(second()) == ["a", "b", "c"]
    in_one_life = True
    (tmp_path / "db.sqlite").unlink()
    asyncio.run(first())


def test_one_that_never_waits_lets_the_others_go_on(tmp_path: Path) -> None:
    @workflow
    async def spins(number: int = 0) -> None:
        continue_as_new(number + 1)

    @workflow
    async def works() -> str:
        return await step("done")

    async def run(*, ends: bool) -> None:
        async with Engine(tmp_path / "db.sqlite", [spins, works]) as engine:
            handle = await engine.start(spins, id="spinning")
            await (await engine.start(works)).result()
            if ends:
                await handle.terminate()

    for ends in (False, True):
        asyncio.run(run(ends=ends))
    assert ran == ["done", "done"]


def flow(text: str) -> object:
    """A workflow `flow` of this source, as an author would edit it."""
    names = {"step": step, "patched": patched, "go_on": go_on}
    exec(f"async def flow():\n{text}\n", names)
    return workflow(names["flow"])  # type: ignore[arg-type]


def live(path: Path, text: str, execution: str, *, tell: bool) -> object:
    async def run() -> object:
        async with Engine(path / "db.sqlite", [flow(text)]) as engine:  # type: ignore[list-item]
            handle = await engine.start("flow", id=execution)
            await until_asleep(engine)
            if not tell:
                return None
            await handle.signal(go_on, "now")
            return await handle.result()

    return asyncio.run(run())


BEFORE = " await step('a'); await go_on.receive(); await step('old'); return 'old'"
BETWEEN = """
 await step('a')
 if patched('newer'):
  await step('b')
 await go_on.receive()
 await step('new' if patched('newer') else 'old')
 return 'new' if patched('newer') else 'old'"""
AFTER = " await step('a'); await step('b'); await go_on.receive(); await step('new'); return 'new'"
EARLY = """
 first = patched('newer')
 await step('a')
 await go_on.receive()
 return 'new' if first else 'old'"""


def test_an_execution_that_is_past_a_patch_keeps_the_old_way_and_a_new_one_takes_the_new(tmp_path: Path) -> None:
    live(tmp_path, BEFORE, "old", tell=False)
    assert live(tmp_path, EARLY, "old", tell=True) == "old"
    live(tmp_path, EARLY, "new", tell=False)
    assert live(tmp_path, EARLY, "new", tell=True) == "new"


def test_a_patch_can_be_taken_out_when_nobody_goes_the_old_way(tmp_path: Path) -> None:
    live(tmp_path, BETWEEN, "new", tell=False)
    assert live(tmp_path, AFTER, "new", tell=True) == "new"
    assert [kind for kind, _ in kinds(tmp_path / "db.sqlite", "new")][3] == "Patched"


def test_an_execution_that_just_waits_takes_the_new_way_from_here(tmp_path: Path) -> None:
    live(tmp_path, BEFORE, "one", tell=False)
    assert live(tmp_path, BETWEEN, "one", tell=True) == "new"


def test_the_version_of_the_code_is_kept(tmp_path: Path) -> None:
    @workflow
    async def naps() -> None:
        await asyncio.sleep(3600)

    async def run(version: str) -> None:
        async with Engine(tmp_path / "db.sqlite", [naps], app_version=version) as engine:
            await engine.start(naps, id="one")
            assert engine.read.describe("one").app_version == "v1"

    asyncio.run(run("v1"))
    asyncio.run(run("v2"))


def test_a_file_of_the_first_version_is_opened_and_goes_on(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db.sqlite")
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute("CREATE TABLE dormouse_meta (key TEXT PRIMARY KEY, value TEXT)")
    execution = (1, "one", "works", "Open", b"0", b"0", None, 5, None, None, None)
    event = (1, 1, "ExecutionStarted", 5, None, None, "works", None, None, None, None)
    for table, row in (("execution", execution), ("event", event)):
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()

    @workflow
    async def works() -> str:
        return await step("done")

    async def run() -> str:
        async with Engine(tmp_path / "db.sqlite", [works]) as engine:
            return str(await engine.result("one"))

    assert asyncio.run(run()) == "1"
    connection = sqlite3.connect(tmp_path / "db.sqlite")
    found = connection.execute("SELECT value FROM dormouse_meta WHERE key = 'engine_schema'").fetchone()
    connection.close()
    assert found == (str(len(MIGRATIONS)),)


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    async def open_it() -> None:
        async with Engine(tmp_path / "db.sqlite", []):
            pass

    asyncio.run(open_it())
    connection = sqlite3.connect(tmp_path / "db.sqlite")
    connection.execute("UPDATE dormouse_meta SET value = '99' WHERE key = 'engine_schema'")
    connection.commit()
    connection.close()
    with pytest.raises(NewerFile, match=r"db\.sqlite has version 99 .* install that one"):
        asyncio.run(open_it())
