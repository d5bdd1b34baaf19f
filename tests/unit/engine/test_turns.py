"""What goes on at the same time? The code of some executions runs while the results of others are written."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from dormouse import Engine, activity, transaction, workflow
from dormouse.engine.database import Database
from dormouse.engine.journal import Batch, Event, Kind


def test_some_code_runs_while_the_result_of_other_code_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = threading.Event()
    ran_meanwhile: list[bool] = []
    write, commit = Database.write, Database.commit
    results: list[Kind] = []

    def watched_write(database: Database, batch: Batch) -> Sequence[Event]:
        running.clear()
        results[:] = [Kind(event.kind) for event in batch.events if event.kind == Kind.ACTIVITY_COMPLETED]
        return write(database, batch)

    def watched_commit(database: Database, events: Sequence[Event]) -> None:
        if results and not ran_meanwhile:
            ran_meanwhile.append(running.wait(20))
        commit(database, events)

    monkeypatch.setattr(Database, "write", watched_write)
    monkeypatch.setattr(Database, "commit", watched_commit)
    monkeypatch.setattr("dormouse.engine.turns.told_first", lambda *_: 1)
    monkeypatch.setattr("dormouse.engine.turns.waits_for_code", lambda *_: False)

    @activity
    async def step() -> None: ...

    @workflow
    async def runs() -> None:
        running.set()
        await step()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [runs]) as engine:
            both = await asyncio.gather(engine.start(runs), engine.start(runs))
            await asyncio.gather(*(one.result() for one in both))

    asyncio.run(run())
    assert ran_meanwhile == [True]


def test_what_has_arrived_may_wait_for_what_the_code_asks_for_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse.engine.turns.told_first", lambda *_: 1)
    monkeypatch.setattr("dormouse.engine.turns.waits_for_code", lambda unheard, arrived, *_: unheard and arrived)

    @activity
    async def step(number: int) -> int:
        return number

    @transaction
    def noted(connection: sqlite3.Connection, number: int) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS note (number)")
        connection.execute("INSERT INTO note VALUES (?)", (number,))

    @workflow
    async def sums() -> int:
        total = 0
        for number in range(5):
            total += await step(number)
            await noted(number)
        return total

    async def run() -> list[int]:
        async with Engine(tmp_path / "db.sqlite", [sums]) as engine:
            started = await asyncio.gather(*(engine.start(sums) for _ in range(4)))
            return await asyncio.gather(*(one.result() for one in started))

    assert asyncio.run(run()) == [10] * 4
    with closing(sqlite3.connect(tmp_path / "db.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM note").fetchone() == (20,)
