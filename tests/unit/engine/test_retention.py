"""Do closed executions leave the file when they should, wholly, and nothing else with them?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engine_lab import EveryCommit, until

from dormouse import (
    Engine,
    ExecutionFailed,
    Retention,
    RetryPolicy,
    Signal,
    UnknownExecution,
    Workflow,
    activity,
    continue_as_new,
    workflow,
)
from dormouse.engine import removal
from dormouse.engine.clock import ManualClock

DAY = 86400.0
word = Signal("word", str)
failing = [True]
NEVER = RetryPolicy(attempts=1)


@activity
async def echo(text: str) -> str:
    return text


@activity
async def shaky() -> str:
    if failing[0]:
        raise ValueError("no")
    return "mended"


@workflow
async def short(text: str) -> str:
    return await echo(text)


@workflow
async def rounds(number: int) -> str:
    heard = await word.receive()
    await echo(heard * 1000)
    if number:
        continue_as_new(number - 1)
    return heard


@workflow
async def waits() -> str:
    return await word.receive()


@workflow
async def calls() -> str:
    done = await short.with_options(id="child")("x")
    return done + await word.receive()


@workflow
async def fails() -> str:
    return await shaky.with_options(retry=NEVER)()


@workflow
async def calls_what_fails() -> str:
    return await fails.with_options(id="child")()


ALL: list[Workflow[..., Any]] = [short, rounds, waits, calls, fails, calls_what_fails]


def ids(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT id FROM execution ORDER BY key")]


def left(path: Path) -> dict[str, int]:
    """How many rows of what belongs to no execution any more, or is still to be removed."""
    with closing(sqlite3.connect(path)) as connection:
        queries = {
            "events": "SELECT count(*) FROM event WHERE execution NOT IN (SELECT key FROM execution)",
            "runs": "SELECT count(*) FROM dormouse_run WHERE execution NOT IN (SELECT key FROM execution)",
            "parts": "SELECT count(*) FROM dormouse_part WHERE run NOT IN (SELECT position FROM event)",
            "chunks": "SELECT count(*) FROM dormouse_chunk WHERE key >> 16 NOT IN (SELECT number FROM dormouse_part)",
        }
        return {name: connection.execute(query).fetchone()[0] for name, query in queries.items()}


NOTHING = {"events": 0, "runs": 0, "parts": 0, "chunks": 0}


class Life:
    """One engine on a clock of the test."""

    def __init__(self, path: Path, clock: ManualClock, retention: Retention | None) -> None:
        self.path = path
        self.clock = clock
        self.engine = Engine(path, ALL, clock=clock, retention=retention)

    async def run(self, name: str, workflow: str = "short", value: Any = "x") -> Any:
        return await (await self.engine.start(workflow, value, id=name)).result()

    async def look(self, holds: Callable[[], bool]) -> None:
        """Let retention look again until this holds."""

        def looked() -> bool:
            self.clock.advance(1)
            return holds()

        await until(looked)


def live(path: Path, retention: Retention | None, scenario: Callable[[Life], Awaitable[None]]) -> None:
    async def run() -> None:
        life = Life(path, clock, retention)
        async with life.engine:
            await scenario(life)

    clock = ManualClock()
    asyncio.run(run())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    failing[0] = True
    return tmp_path / "db.sqlite"


def test_the_newest_are_kept_and_of_the_others_nothing_is_left(path: Path) -> None:
    async def scenario(life: Life) -> None:
        await life.engine.start(waits, id="open")
        for number in range(7):
            await life.run(f"e{number}", value="long " * 1000)
        await life.look(lambda: ids(path) == ["open", "e4", "e5", "e6"] and left(path) == NOTHING)
        with pytest.raises(UnknownExecution):
            await life.engine.result("e0")
        assert await life.engine.result("e6") == "long " * 1000
        assert await life.run("e0") == "x"  # its id is free again

    live(path, Retention(count=3), scenario)


def test_what_is_too_old_goes_at_its_time(path: Path) -> None:
    async def scenario(life: Life) -> None:
        await life.run("old")
        life.clock.advance(DAY / 2)
        await life.run("young")
        life.clock.advance(DAY / 2 - 60)
        assert ids(path) == ["old", "young"]
        life.clock.advance(60)
        await life.look(lambda: ids(path) == ["young"])
        life.clock.advance(DAY)
        await life.look(lambda: ids(path) == [] and left(path) == NOTHING)

    live(path, Retention(seconds=DAY), scenario)


def test_what_an_earlier_life_left_goes_too(path: Path) -> None:
    async def fill(life: Life) -> None:
        for number in range(120):
            await life.run(f"e{number}")

    async def scenario(life: Life) -> None:
        await life.look(lambda: len(ids(path)) == 10 and left(path) == NOTHING)
        assert ids(path) == [f"e{number}" for number in range(110, 120)]

    live(path, None, fill)
    assert len(ids(path)) == 120
    live(path, Retention(count=10), scenario)


def test_what_is_never_to_go_stays(path: Path) -> None:
    async def scenario(life: Life) -> None:
        for name in ("main", "a", "b"):
            await life.run(name)
        await life.look(lambda: ids(path) == ["main"])

    live(path, Retention(count=0, never=frozenset({"main"})), scenario)


def test_a_child_goes_before_its_caller_only_when_nobody_can_need_it(path: Path) -> None:
    async def scenario(life: Life) -> None:
        handle = await life.engine.start(calls, id="caller")
        await until(lambda: life.engine.standing().waiting == 1)
        await life.look(lambda: ids(path) == ["caller"])
        await handle.signal(word, "y")
        assert await handle.result() == "xy"
        with pytest.raises(ExecutionFailed):
            await (await life.engine.start(calls_what_fails, id="failed")).result()
        assert ids(path) == ["caller", "failed", "child"]
        life.clock.advance(10)
        await life.engine.settled()
        failing[0] = False
        await life.engine.handle("failed").retry()
        assert await life.engine.result("failed") == "mended"

    live(path, Retention(seconds=0, never=frozenset({"caller", "failed"})), scenario)


def test_callers_and_children_go_together_in_the_end(path: Path) -> None:
    async def scenario(life: Life) -> None:
        with pytest.raises(ExecutionFailed):
            await (await life.engine.start(calls_what_fails, id="failed")).result()
        assert ids(path) == ["failed", "child"]
        life.clock.advance(10)
        await life.look(lambda: ids(path) == [] and left(path) == NOTHING)

    live(path, Retention(seconds=10), scenario)


def test_one_that_was_retried_just_now_stays(path: Path) -> None:
    async def scenario(life: Life) -> None:
        with pytest.raises(ExecutionFailed):
            await (await life.engine.start(fails, id="one")).result()
        failing[0] = False
        # Both in one turn, whichever comes first.
        deletion = removal.Removal(0, None, frozenset())
        control = await life.engine.control()
        batch = life.engine._turns.journal.batch
        batch.also.append(lambda writer: deletion.take_a_portion(writer, 0))
        await control.retry("one")
        assert await life.engine.result("one") == "mended"

    live(path, None, scenario)


def test_earlier_runs_go_when_they_are_too_old_and_the_present_one_stays(path: Path) -> None:
    async def scenario(life: Life) -> None:
        handle = await life.engine.start(rounds, 2, id="one")
        for number in range(2):
            await handle.signal(word, f"w{number}", idempotency_key=str(number))
            await until(partial(is_in_run, path, number + 1))
        events = counted(path, "event")
        await handle.signal(word, "w0", idempotency_key="0")  # it is known
        assert counted(path, "event") == events
        life.clock.advance(DAY)
        await life.look(lambda: runs(path) == 0 and left(path) == NOTHING)
        assert [event.kind for event in life.engine.read.history("one")] == ["ExecutionContinued"]
        await handle.signal(word, "end")
        assert await handle.result() == "end"
        life.clock.advance(DAY)
        await life.look(lambda: counted(path, "event") == counted(path, "dormouse_run") == 0)
        assert counted(path, "dormouse_part") == counted(path, "dormouse_chunk") == 0

    live(path, Retention(seconds=DAY), scenario)


def test_earlier_runs_go_with_their_execution(path: Path) -> None:
    async def scenario(life: Life) -> None:
        handle = await life.engine.start(rounds, 2, id="one")
        for number in range(3):
            await handle.signal(word, f"w{number}")
        await handle.result()
        await life.look(lambda: counted(path, "event") == counted(path, "dormouse_chunk") == 0)
        await life.look(lambda: counted(path, "dormouse_run") == 0)

    live(path, Retention(count=0), scenario)


def runs(path: Path) -> int:
    return counted(path, "dormouse_run")


def is_in_run(path: Path, number: int) -> bool:
    return runs(path) == number


def counted(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


def test_killed_at_any_commit_it_goes_on_removing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_EVENTS", 3)
    monkeypatch.setattr(removal, "_CHUNKS", 1)
    path = tmp_path / "db.sqlite"

    async def fill(life: Life) -> None:
        handle = await life.engine.start(rounds, 1, id="one")
        for number in range(2):
            await handle.signal(word, f"w{number}")
        await handle.result()
        await life.run("two", value="long " * 1000)

    live(path, None, fill)
    commits = EveryCommit(path, tmp_path)

    async def run() -> None:
        clock = ManualClock()
        life = Life(path, clock, Retention(count=0))
        life.engine = Engine(path, ALL, clock=clock, retention=Retention(count=0), durability=commits)
        async with life.engine:
            await life.look(lambda: counted(path, "event") == 0 and left(path) == NOTHING)

    asyncio.run(run())
    assert len(commits.copies) > 8
    for copy in commits.copies:

        async def rest(life: Life, copy: Path = copy) -> None:
            await life.look(lambda: counted(copy, "event") == 0 and left(copy) == NOTHING)

        live(copy, Retention(count=0), rest)


def test_the_file_shrinks_when_much_of_it_is_free(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_FREE_PAGES", 10)
    sizes: list[int] = []

    async def fill(life: Life) -> None:
        for number in range(20):
            await life.run(f"e{number}", value="".join(map(str, range(number, number + 20_000))))

    async def scenario(life: Life) -> None:
        await life.look(lambda: ids(path) == [] and left(path) == NOTHING and not shrinks(path))

    live(path, None, fill)
    sizes.append(path.stat().st_size)
    live(path, Retention(count=0), scenario)
    sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0] / 2
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def shrinks(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return removal.may_shrink(connection)


def test_a_file_that_cannot_shrink_is_left_at_its_size(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE dormouse_meta (key TEXT PRIMARY KEY, value TEXT)")

    async def scenario(life: Life) -> None:
        await life.run("one", value="long " * 1_000_000)
        await life.look(lambda: ids(path) == [] and left(path) == NOTHING)
        assert not shrinks(path)

    live(path, Retention(count=0), scenario)


@pytest.mark.parametrize(
    ("count", "seconds", "said"),
    [
        (-1, None, "a retention's count must be 0 or more, not -1"),
        (None, -0.5, "a retention's seconds must be 0 or more, not -0.5"),
        (None, float("nan"), "seconds must be 0 or more, not nan"),
        (None, None, "a retention has a count, or seconds, or both"),
    ],
)
def test_a_retention_that_makes_no_sense_is_refused(count: int | None, seconds: float | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Retention(count, seconds)
