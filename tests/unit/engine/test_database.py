"""How are the logs of open executions found in the file? The same events, however they lie there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine_lab import until

from dormouse import Engine, Signal, activity, continue_as_new, workflow
from dormouse.engine.database import Database
from dormouse.engine.journal import Kind
from dormouse.engine.querying import Run

more = Signal("more", int)
_EVENTS_OF_THE_SECOND_RUN = 1 + 2 * 9


@activity
async def half(number: int) -> int:
    return number // 2


@workflow
async def halved(number: int) -> None:
    while number > 1:
        number = await half(number)
    continue_as_new(await more.receive())


def runs_of(path: Path, *numbers: int, at_once: bool) -> tuple[Database, list[Run]]:
    """A file with open executions; the first of them is in its second run."""

    async def make() -> None:
        async with Engine(path, [halved]) as engine:

            def resting() -> bool:
                return all(engine.read.waits_for(str(number)) for number in numbers)

            if at_once:
                await asyncio.gather(*(engine.start(halved, number, id=str(number)) for number in numbers))
                await until(resting)
            for number in () if at_once else numbers:
                await engine.start(halved, number, id=str(number))
                await until(lambda: engine.read.waits_for(str(number)))  # noqa: B023 - waited for at once
            await engine.handle(str(numbers[0])).signal(more, 1 << 9)
            await until(lambda: len(engine.read.history(str(numbers[0]))) == _EVENTS_OF_THE_SECOND_RUN)

    asyncio.run(make())
    database = Database(path, checkpoints=True)
    return database, list(database.awake_runs().values())


def check(database: Database, runs: list[Run]) -> None:
    for run in runs:
        events = database.events_of(run)
        assert events == database.events(run.last)
        assert [event.position for event in events] == sorted(event.position for event in events)
        assert {event.execution for event in events} == {run.execution}
        assert (events[0].position, events[-1].position) == (run.began, run.last)
        assert events[0].kind in (Kind.EXECUTION_STARTED, Kind.EXECUTION_CONTINUED)
    database.close()


def test_a_log_that_lies_dense_is_read_on_from_the_beginning_of_its_newest_run(tmp_path: Path) -> None:
    database, runs = runs_of(tmp_path / "db.sqlite", 1 << 7, (1 << 7) + 1, at_once=False)
    assert all(run.is_dense for run in runs)
    assert runs[0].began > runs[0].execution
    check(database, runs)


def test_a_log_that_lies_scattered_is_walked_back_to_the_beginning_of_its_newest_run(tmp_path: Path) -> None:
    database, runs = runs_of(tmp_path / "db.sqlite", *range(1 << 7, (1 << 7) + 9), at_once=True)
    assert not any(run.is_dense for run in runs[1:])
    check(database, runs)
