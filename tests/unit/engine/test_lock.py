"""Can two engines work on one file? No, and the second is told who has it; readers are not kept out."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dormouse import Engine, FileInUse, workflow
from dormouse.client.file import DatabaseFile
from dormouse.engine.lock import FileLock


@workflow
async def greet() -> str:
    return "hello"


async def greeted(path: Path) -> str:
    async with Engine(path, [greet]) as engine:
        return await (await engine.start(greet, id="one")).result()


HOLDS = """
import pathlib, sys, time
from dormouse.engine.lock import FileLock
FileLock(pathlib.Path(sys.argv[1])).take()
print("taken", flush=True)
time.sleep(60)
"""


def test_a_second_engine_is_refused_by_name_and_the_first_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [greet]) as first:
            with pytest.raises(
                FileInUse, match=rf"db\.sqlite: the engine of process {os.getpid()} .* End that process"
            ):
                await Engine(tmp_path / "db.sqlite", [greet]).__aenter__()
            assert await (await first.start(greet)).result() == "hello"

    asyncio.run(run())


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
        with pytest.raises(FileInUse, match=f"process {process.pid} "):
            FileLock(path).take()
        process.kill()
    assert asyncio.run(greeted(path)) == "hello"


def test_an_engine_that_has_ended_leaves_only_its_database(tmp_path: Path) -> None:
    asyncio.run(greeted(tmp_path / "db.sqlite"))
    assert [one.name for one in tmp_path.iterdir()] == ["db.sqlite"]
    assert asyncio.run(greeted(tmp_path / "db.sqlite")) == "hello"


def test_an_engine_that_cannot_open_its_file_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    path.write_bytes(b"this is not a database, and long enough to be none" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        asyncio.run(greeted(path))
    path.unlink()
    assert asyncio.run(greeted(path)) == "hello"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match=r"missing.db\.sqlite-lock: No such file or directory"):
        asyncio.run(greeted(tmp_path / "missing" / "db.sqlite"))


def test_one_that_opened_a_lock_that_is_then_removed_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (FileLock(tmp_path / "db.sqlite") for _ in range(3))
    first.take()
    flock = fcntl.flock

    def after_the_others(handle: int, how: int) -> None:
        monkeypatch.undo()
        first.release()
        second.take()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", after_the_others)
    with pytest.raises(FileInUse):
        third.take()
    second.release()


def test_readers_and_those_who_replicate_are_let_in(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "db.sqlite"
        async with Engine(path, [greet]) as engine:
            await (await engine.start(greet, id="one")).result()
            with DatabaseFile(path) as file:
                assert file.show("one").id == "one"
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("PRAGMA wal_checkpoint(PASSIVE)")
                other.execute("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")

    asyncio.run(run())
