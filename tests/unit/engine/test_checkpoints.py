"""Does exactly one connection ever checkpoint? Litestream's where somebody replicates the file, else the writer's.

Nothing but a checkpoint changes the file itself: what is committed goes into the WAL.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dormouse import Engine, Retention, activity, workflow
from dormouse.client.file import DatabaseFile
from dormouse.engine.durability import Durability, LocalOnly
from dormouse.engine.removal import may_shrink

MUCH = "".join(map(str, range(300_000)))  # as parts, with what is deleted of it again, more than 1000 pages


@activity
async def echo(text: str) -> int:
    return len(text)


@workflow
async def carry(text: str) -> int:
    return await echo(text)


def wal(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


async def work(engine: Engine, path: Path) -> None:
    """Write much, delete it, give pages back, and look at it from outside meanwhile."""
    for number in range(3):
        await (await engine.start(carry, f"{number}{MUCH}", id=str(number))).result()
        with DatabaseFile(path) as file:
            assert file.show(str(number)).status == "Completed"


async def live(path: Path, durability: Durability | None, seen: list[tuple[bytes, int]]) -> None:
    async with Engine(path, [carry], durability=durability) as engine:
        seen.append((path.read_bytes(), wal(path)))
        await work(engine, path)
        seen.append((path.read_bytes(), wal(path)))
    async with Engine(path, [carry], durability=durability, retention=Retention(count=0)) as engine:
        async with asyncio.timeout(60):
            while engine.read.recorded("2") is not None or engine._database.read(may_shrink):
                await asyncio.sleep(0.01)
        seen.append((path.read_bytes(), wal(path)))


def test_where_somebody_replicates_the_file_it_is_never_ours(tmp_path: Path) -> None:
    path, seen = tmp_path / "db.sqlite", list[tuple[bytes, int]]()
    with closing(sqlite3.connect(path)) as replicator:
        replicator.execute("PRAGMA journal_mode = WAL")
        replicator.execute("PRAGMA wal_autocheckpoint = 0")
        replicator.execute("SELECT * FROM sqlite_master").fetchall()
        asyncio.run(live(path, LocalOnly(), seen))
        assert [content == seen[0][0] for content, _ in seen] == [True, True, True]
        assert path.read_bytes() == seen[0][0]
        assert seen[0][1] < seen[1][1] < seen[2][1] <= wal(path)
        assert seen[1][1] > 1000 * 4096


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sqlite3 cannot be told before; the images have a later one")
def test_not_even_when_it_is_the_last_to_close_the_file(tmp_path: Path) -> None:
    path, seen = tmp_path / "db.sqlite", list[tuple[bytes, int]]()
    asyncio.run(live(path, LocalOnly(), seen))
    assert path.read_bytes() == seen[0][0]
    assert wal(path) >= seen[2][1]


def test_where_nobody_does_the_writer_keeps_the_wal_short(tmp_path: Path) -> None:
    path, seen = tmp_path / "db.sqlite", list[tuple[bytes, int]]()
    asyncio.run(live(path, None, seen))
    assert seen[1][0] != seen[0][0]
    assert not path.with_name(f"{path.name}-wal").exists()


def test_no_reader_ever_does(tmp_path: Path) -> None:
    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [carry]) as engine:
            assert engine._database.read(lambda reader: reader.execute("PRAGMA wal_autocheckpoint").fetchone()) == (0,)

    asyncio.run(run())
