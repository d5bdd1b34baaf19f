"""Do files that earlier versions have written go on? Recorded by their code, one for each version of the tables."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from engine_lab import until
from recorded import talking, workflows

from dormouse import Engine, ExecutionFailed, Retention, Workflow
from dormouse.client.file import DatabaseFile
from dormouse.encryption import AesGcm
from dormouse.engine.clock import SystemClock
from dormouse.engine.schema import MIGRATIONS
from dormouse.testing import replay

RECORDED = Path(__file__).with_name("recorded")
ALL: list[Workflow[..., Any]] = [workflows.short, workflows.sleeper, talking.rounds]
VERSIONS = [int(file.stem.removeprefix("version_")) for file in sorted(RECORDED.glob("version_*.sql"))]
LONG_AFTER = 10_000_000_000 * 1_000_000


class LaterClock(SystemClock):
    """So that what was asleep then is due now."""

    def now(self) -> int:
        return LONG_AFTER


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def path(tmp_path: Path, version: int) -> Path:
    with closing(sqlite3.connect(tmp_path / "db.sqlite")) as connection:
        connection.executescript((RECORDED / f"version_{version}.sql").read_text())
    return tmp_path / "db.sqlite"


async def go_on(path: Path, **options: Any) -> list[Any]:
    async with Engine(path, ALL, clock=LaterClock(), **options) as engine:
        results: list[Any] = [await engine.result("done"), await engine.result("asleep")]
        with pytest.raises(ExecutionFailed, match="too small"):
            await engine.result("failed")
        if engine.read.recorded("rounds") is not None:
            handle = engine.handle("rounds")
            await handle.signal(talking.word, "w1", idempotency_key="1")  # it was received by an earlier run
            for number in range(2):
                await handle.signal(talking.word, f"new {number}", idempotency_key=f"new {number}")
            results.append(await handle.result())
        return results


def expected(version: int) -> list[Any]:
    return [42, 30, "new 1"][: 2 if version == 1 else 3]


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_there_is_one_of_each_version_that_was_ever_used() -> None:
    assert VERSIONS == [1, 2, 3]


def test_it_goes_on_where_it_was(path: Path, version: int) -> None:
    assert asyncio.run(go_on(path)) == expected(version)
    assert rows(path, "SELECT value FROM dormouse_meta WHERE key = 'engine_schema'") == [(str(len(MIGRATIONS)),)]
    assert asyncio.run(go_on(path)) == expected(version)


def test_it_is_read_and_replayed_without_being_changed(path: Path, version: int) -> None:
    before = path.read_bytes()
    with DatabaseFile(path) as file:
        assert len(file.executions().executions) == len(expected(version)) + 1
        assert bytes(file.outcome("done").result) == b"42"  # type: ignore[arg-type]
        assert len(file.history("asleep")) == 4
    assert len(replay(path, ALL)) == len(expected(version)) + 1
    assert path.read_bytes() == before


def test_it_goes_on_encrypted(path: Path, version: int) -> None:
    assert asyncio.run(go_on(path, codec=AesGcm({"a": b"k" * 32}))) == expected(version)


def test_what_is_over_in_it_is_removed_with_all_its_runs(path: Path) -> None:
    async def run() -> None:
        await go_on(path)
        async with Engine(path, ALL, clock=LaterClock(), retention=Retention(count=0)):
            await until(lambda: not rows(path, "SELECT 1 FROM event UNION ALL SELECT 1 FROM dormouse_run"))
        assert rows(path, "SELECT id FROM execution") == []

    asyncio.run(run())


def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    before = rows(path, "SELECT type, name, sql FROM sqlite_master")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE dormouse_run (mine)")
        connection.commit()
    with pytest.raises(sqlite3.OperationalError, match="table dormouse_run already exists"):
        asyncio.run(go_on(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE dormouse_run")
        connection.commit()
    assert rows(path, "SELECT type, name, sql FROM sqlite_master") == before
    assert asyncio.run(go_on(path))[:2] == [42, 30]
