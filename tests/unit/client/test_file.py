"""Does a file say what a runtime would say, and is it left as it was?"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dormouse import (
    Approval,
    Engine,
    ExecutionFailed,
    InvalidInput,
    NewerFile,
    RetryPolicy,
    UnknownExecution,
    UnknownWorkflow,
    activity,
    continue_as_new,
    workflow,
)
from dormouse.client import Waiting
from dormouse.client.file import DatabaseFile
from dormouse.client.opening import NotReadable
from dormouse.engine.schema import MIGRATIONS, bring_up_to_date


@activity
async def double(number: int) -> int:
    return 2 * number


@activity(retry=RetryPolicy(initial_seconds=3600, maximum_seconds=3600))
async def fail() -> None:
    raise ConnectionError("the line is dead")


@workflow
async def calculate(number: int) -> int:
    if number < 0:
        raise ValueError("too small")
    return await double(number)


failures = [ConnectionError("nobody is there")]


@activity(retry=RetryPolicy(attempts=1))
async def give_up() -> None:
    if failures:
        raise failures.pop()
    await asyncio.Event().wait()


@workflow
async def retried() -> None:
    await give_up()
    await double(1)


@workflow
async def parent() -> None:
    await retried.with_options(id="child")()


@workflow
async def begins_anew(rounds: int) -> None:
    if rounds:
        await double(rounds)
        continue_as_new(rounds - 1)
    await asyncio.sleep(3600)


@workflow
async def sleeper() -> None:
    await double(1)
    await asyncio.gather(asyncio.sleep(3600), fail())


async def _write(path: Path, meanwhile: Callable[[], None] = lambda: None) -> None:
    async with Engine(path, [calculate, sleeper]) as engine:
        await (await engine.start(calculate, 21, id="done")).result()
        with pytest.raises(Exception, match="too small"):
            await (await engine.start(calculate, -1, id="failed")).result()
        await engine.start(sleeper, id="asleep")
        async with asyncio.timeout(60):
            while not engine.standing().can_hibernate:
                await asyncio.sleep(0.01)
        meanwhile()


def source_of_line(text: str) -> str:
    """The first line of this file that has this text, as a source."""
    here = Path(__file__)
    numbers = (number for number, line in enumerate(here.read_text().splitlines(), 1) if text in line)
    return f"{here.name}:{next(numbers)}"


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def look(path: Path) -> None:
    """Everything that a file can be asked, and what this one answers."""
    with DatabaseFile(path) as file:
        assert [one.id for one in file.executions().executions] == ["asleep", "failed", "done"]
        first = file.executions(limit=2)
        assert [one.id for one in file.executions(limit=2, after=first.next).executions] == ["done"]
        assert [one.id for one in file.executions(status="Failed").executions] == ["failed"]
        assert [one.id for one in file.executions(workflow="sleeper").executions] == ["asleep"]
        assert file.executions(workflow="sleeper", status="Completed").executions == []
        assert file.show("done").status == "Completed"
        assert bytes(file.outcome("done").result) == b"42"  # type: ignore[arg-type]
        error = file.outcome("failed").error
        assert error is not None
        assert (error.type, error.message) == ("ValueError", "too small")
        timer, retried = file.show("asleep").waits_for or []
        assert (timer.kind, timer.due_at is not None) == ("timer", True)
        assert (retried.name, retried.attempt) == ("fail", 2)
        assert retried.last_error is not None
        assert retried.last_error.message == "the line is dead"
        kinds = [event.kind for event in file.history("done")]
        assert kinds == ["ExecutionStarted", "ActivityScheduled", "ActivityCompleted", "ExecutionCompleted"]
        with pytest.raises(UnknownExecution):
            file.show("nobody")
        with pytest.raises(InvalidInput, match="one of Open, Blocked, Completed, Failed, Cancelled, Terminated"):
            file.executions(status="Done")
        with pytest.raises(UnknownWorkflow, match=r"no workflow 'sleep' among .*; there are: calculate, sleeper"):
            file.executions(workflow="sleep")


def test_a_file_at_rest_is_read_and_nothing_is_made_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    asyncio.run(_write(path))
    before = contents(tmp_path)
    look(path)
    assert contents(tmp_path) == before
    assert set(before) == {"db.sqlite"}


def test_a_file_in_use_is_read_with_what_is_only_in_its_wal(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"

    def check() -> None:
        before = contents(tmp_path)
        assert before["db.sqlite-wal"][0]
        look(path)
        assert contents(tmp_path).keys() == before.keys()
        assert contents(tmp_path)["db.sqlite"] == before["db.sqlite"]
        assert contents(tmp_path)["db.sqlite-wal"] == before["db.sqlite-wal"]

    asyncio.run(_write(path, check))


def test_what_a_crash_left_in_the_wal_is_read_and_stays_there(tmp_path: Path) -> None:
    (tmp_path / "life").mkdir()
    crashed = tmp_path / "crashed"

    def crash() -> None:
        crashed.mkdir()
        for name in ("db.sqlite", "db.sqlite-wal"):
            shutil.copy2(tmp_path / "life" / name, crashed)

    asyncio.run(_write(tmp_path / "life" / "db.sqlite", crash))
    before = contents(crashed)
    look(crashed / "db.sqlite")
    assert contents(crashed) == before


def test_a_file_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    asyncio.run(_write(path))
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        look(path)
    finally:
        tmp_path.chmod(0o755)


def test_what_is_waited_for_is_read_off_the_log_after_a_retry_too(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"

    async def write() -> None:
        async with Engine(path, [parent, retried]) as engine:
            with pytest.raises(ExecutionFailed, match="nobody is there"):
                await (await engine.start(parent, id="parent")).result()
            await engine.handle("parent").retry()

    asyncio.run(write())
    with DatabaseFile(path) as file:
        assert file.show("parent").waits_for == [
            Waiting("child", "retried", id="child", source=source_of_line("retried.with"))
        ]
        assert file.show("child").waits_for == [
            Waiting("activity", "give_up", 1, source=source_of_line("await give_up()"))
        ]


def test_after_continue_as_new_the_log_is_that_of_the_newest_run(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"

    async def write() -> None:
        async with Engine(path, [begins_anew]) as engine:
            await engine.start(begins_anew, 2, id="again")
            async with asyncio.timeout(60):
                while not engine.standing().can_hibernate:
                    await asyncio.sleep(0.01)

    asyncio.run(write())
    with DatabaseFile(path) as file:
        assert [event.kind for event in file.history("again")] == ["ExecutionContinued", "TimerSet"]
        assert [one.kind for one in file.show("again").waits_for or []] == ["timer"]


def test_a_file_of_an_older_version_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("CREATE TABLE dormouse_meta (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute(
            "INSERT INTO execution (key, id, workflow, status, seed, request, started_at) "
            "VALUES (1, 'old', 'calculate', 'Open', x'00', x'00', 0)"
        )
        connection.execute("INSERT INTO event (position, execution, kind, at) VALUES (1, 1, 'ExecutionStarted', 0)")
    before = contents(tmp_path)
    with DatabaseFile(path) as file:
        assert (file.show("old").status, file.show("old").app_version) == ("Open", None)
        assert [event.kind for event in file.history("old")] == ["ExecutionStarted"]
    assert contents(tmp_path) == before


def test_what_is_no_database_of_ours_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a text that is long enough to be no header of SQLite" * 20)
    with closing(sqlite3.connect(tmp_path / "other")) as connection:
        connection.execute("CREATE TABLE a (b)")
    for name, said in (("text", "no SQLite file"), ("other", "not one of Dormouse"), ("missing", "there is no file")):
        with pytest.raises(NotReadable, match=said), DatabaseFile(tmp_path / name):
            pass
    assert not os.path.lexists(tmp_path / "missing")


def test_a_copy_without_its_wal_is_told_how_to_copy(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "original")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE dormouse_meta (key TEXT PRIMARY KEY, value TEXT)")
        shutil.copy(tmp_path / "original", tmp_path / "copy")
    with (
        pytest.raises(NotReadable, match=r"copy that as copy-wal too, or .* '\.backup copy'"),
        DatabaseFile(tmp_path / "copy"),
    ):
        pass


def test_a_file_of_a_newer_version_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    asyncio.run(_write(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT OR REPLACE INTO dormouse_meta VALUES ('engine_schema', '999')")
    with pytest.raises(NewerFile), DatabaseFile(path):
        pass


sign = Approval("sign", str)


@workflow
async def signs(letter: str) -> str:
    return (await sign.request(letter, within_seconds=3600)).outcome


def test_what_waits_for_approval_is_read_from_the_file(tmp_path: Path) -> None:
    async def write() -> None:
        async with Engine(path, [signs]) as engine:
            for letter in ("a", "b", "c"):
                await engine.start(signs, letter, id=letter)
            async with asyncio.timeout(60):
                while len(engine.read.approvals()) < 3:
                    await asyncio.sleep(0.001)
            digest = engine.read.approvals(execution_id="b")[0].digest
            await engine.handle("b", signs).approve(sign, digest, by="ada")
            await engine.handle("b", signs).result()

    path = tmp_path / "db.sqlite"
    asyncio.run(write())
    with DatabaseFile(path) as file:
        first = file.approvals(limit=1)
        second = file.approvals(after=first.next)
        assert [(one.execution, one.name, bytes(one.value)) for one in first.approvals] == [("a", "sign", b'"a"')]
        assert [one.execution for one in second.approvals] == ["c"]
        assert second.next is None
        assert file.approvals(execution_id="c").approvals == second.approvals
        (waiting,) = file.show("a").waits_for or []
        assert (waiting.kind, waiting.name, waiting.id) == ("approval", "sign", first.approvals[0].digest)
        assert file.show("b").waits_for is None
        with pytest.raises(UnknownExecution):
            file.approvals(execution_id="nobody")


def test_a_file_from_before_approvals_has_none(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    asyncio.run(_write(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE dormouse_approval")
    with DatabaseFile(path) as file:
        assert file.approvals().approvals == []


def test_of_one_that_has_left_memory_the_signal_is_named_that_it_waits_for(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        bring_up_to_date(connection, path)
        connection.execute(
            "INSERT INTO execution (key, id, workflow, status, seed, request, started_at, waiting) "
            """VALUES (1, 'a', 'w', 'Open', x'00', x'00', 1, '[{"kind": "signal", "name": "said"}]')"""
        )
        connection.execute("INSERT INTO event (position, execution, kind, at) VALUES (1, 1, 'ExecutionStarted', 1)")
        connection.commit()
    with DatabaseFile(path) as file:
        assert file.show("a").waits_for == [Waiting("signal", "said")]
