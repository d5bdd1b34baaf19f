"""What goes on at the same time? The code of some executions runs while the results of others are written."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from dormouse import Engine, activity, workflow
from dormouse.engine.database import Database
from dormouse.engine.disk import DiskThread
from dormouse.engine.durability import SyncDurability
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
    monkeypatch.setattr("dormouse.engine.turns.hears_first", lambda *_: False)

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


def test_what_goes_first_is_decided_by_how_long_the_disk_and_the_store_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0]
    asked: list[float] = []

    class Slow:
        async def barrier(self) -> None:
            passed[0] += 5_000_000_000

    def told_first(unheard: int, telling_seconds: float, writing_seconds: float) -> int:
        asked.append(writing_seconds)
        return unheard

    monkeypatch.setattr("dormouse.engine.writing.perf_counter_ns", lambda: passed[0])
    monkeypatch.setattr("dormouse.engine.turns.told_first", told_first)

    @activity
    async def step() -> None: ...

    @workflow
    async def runs() -> None:
        await step()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [runs], durability=SyncDurability(Slow())) as engine:
            await (await engine.start(runs)).result()

    asyncio.run(run())
    assert asked
    assert asked[-1] >= 5


class Committers:
    """Which threads have committed activities' results, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[tuple[int, str]] = []
        write, commit = Database.write, Database.commit
        results: list[int] = []

        def watched_write(database: Database, batch: Batch) -> Sequence[Event]:
            results[:] = [event.command or 0 for event in batch.events if event.kind == Kind.ACTIVITY_COMPLETED]
            return write(database, batch)

        def watched_commit(database: Database, events: Sequence[Event]) -> None:
            self.names += [(number, threading.current_thread().name) for number in results]
            commit(database, events)

        monkeypatch.setattr(Database, "write", watched_write)
        monkeypatch.setattr(Database, "commit", watched_commit)


@pytest.mark.parametrize("quick", [True, False])
def test_the_loop_itself_commits_what_nothing_goes_on_beside_where_the_disk_is_quick(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse.engine.writing.is_brief", lambda _: quick)
    committers = Committers(monkeypatch)

    @activity
    async def step() -> None: ...

    @workflow
    async def runs() -> None:
        await step()
        await step()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [runs]) as engine:
            await (await engine.start(runs)).result()

    asyncio.run(run())
    by = threading.current_thread().name if quick else "dormouse-commit"
    assert committers.names == [(1, by), (2, by)]


@pytest.mark.parametrize(("quick", "is_waited_for"), [(True, True), (False, False)])
def test_the_loop_itself_waits_for_the_thread_where_nothing_else_is_left_to_do(
    quick: bool, is_waited_for: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse.engine.writing.is_brief", lambda _: quick)
    monkeypatch.setattr("dormouse.engine.writing.BRIEF_SECONDS", 60.0)
    monkeypatch.setattr("dormouse.engine.turns.told_first", lambda unheard, *_: (unheard + 1) // 2)
    monkeypatch.setattr("dormouse.engine.turns.hears_first", lambda *_: False)
    waits: list[float] = []
    wait = DiskThread.wait

    def watched(disk: DiskThread, seconds: float) -> None:
        waits.append(seconds)
        wait(disk, seconds)

    monkeypatch.setattr(DiskThread, "wait", watched)

    @activity
    async def step(number: int) -> int:
        return number

    @workflow
    async def runs() -> int:
        return sum([await step(number) for number in range(20)])

    async def run() -> list[int]:
        async with Engine(tmp_path / "db.sqlite", [runs]) as engine:
            started = await asyncio.gather(*(engine.start(runs) for _ in range(30)))
            return await asyncio.gather(*(each.result() for each in started))

    assert asyncio.run(run()) == [190] * 30
    assert bool(waits) == is_waited_for


def test_a_thread_commits_while_an_activity_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse.engine.writing.is_brief", lambda _: True)
    committers = Committers(monkeypatch)
    go_on = asyncio.Event()

    @activity
    async def waits() -> None:
        await go_on.wait()

    @activity
    async def step() -> None: ...

    @workflow
    async def runs() -> None:
        waiting = asyncio.create_task(waits())
        await step()
        await lets_go()
        await waiting

    @activity
    async def lets_go() -> None:
        go_on.set()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [runs]) as engine:
            await (await engine.start(runs)).result()

    asyncio.run(run())
    assert dict(committers.names)[1] == "dormouse-commit"


def test_groups_of_workflows_that_are_written_in_turns_become_one_where_the_disk_is_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = list(range(10))
    written: list[int] = []
    write = Database.write

    def told_first(unheard: int, *_: float) -> int:
        return (unheard + 1) // 2 if apart else unheard

    def hears_first(unheard: int, *_: float) -> bool:
        if apart:
            apart.pop()
            return False
        return unheard > 0

    def watched(database: Database, batch: Batch) -> Sequence[Event]:
        written.append(sum(event.kind == Kind.ACTIVITY_COMPLETED for event in batch.events))
        return write(database, batch)

    monkeypatch.setattr("dormouse.engine.turns.told_first", told_first)
    monkeypatch.setattr("dormouse.engine.turns.hears_first", hears_first)
    monkeypatch.setattr(Database, "write", watched)

    @activity
    async def step() -> None: ...

    @workflow
    async def runs() -> None:
        for _ in range(200):
            await step()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [runs]) as engine:
            started = await asyncio.gather(*(engine.start(runs) for _ in range(30)))
            await asyncio.gather(*(each.result() for each in started))

    asyncio.run(run())
    groups = [results for results in written if results]
    assert sum(groups) == 200 * 30
    assert min(groups) < 30, "they were never apart"
    # Nobody has ended before the last; those who were a step ahead leave the others to themselves at the end.
    assert groups[100:200] == [30] * 100
