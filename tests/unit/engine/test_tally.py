"""Does an engine count what it does, and does counting stay cheap and bounded?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from engine_lab import HeldStore, until

from dormouse import Engine, ExecutionFailed, RetryPolicy, Signal, Workflow, activity, activity_info, workflow
from dormouse.engine.durability import SyncDurability
from dormouse.engine.tally import _MOST_NAMES, OTHERS, Durations, Tally

stop = Signal("stop")


@activity
async def works() -> int:
    return 1


@activity(retry=RetryPolicy(initial_seconds=0, attempts=3))
async def works_later() -> None:
    if activity_info().attempt < 3:
        raise ConnectionError("not yet")


@activity(retry=RetryPolicy(attempts=1))
async def fails() -> None:
    raise ValueError("never")


@activity
async def hangs() -> None:
    await asyncio.Event().wait()


@activity
async def blocks() -> None:
    time.sleep(0.2)  # noqa: ASYNC251 - what is to be noticed


@workflow
async def all_sorts() -> None:
    await works()
    await works_later()
    hanging = asyncio.ensure_future(hangs())
    await works()
    hanging.cancel()
    await fails()


@workflow
async def naps() -> None:
    await asyncio.sleep(3600)


@workflow
async def listens() -> None:
    await stop.receive()


@workflow
async def stalls() -> None:
    await blocks()


ALL: list[Workflow[..., Any]] = [all_sorts, naps, listens, stalls]


def live(path: Path, scenario: Callable[[Engine], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", ALL, **options) as engine:
            return await scenario(engine)

    return asyncio.run(run())


def test_a_duration_is_counted_by_its_power_of_two() -> None:
    durations = Durations()
    for nanoseconds in (0, 1, 2, 3, 1023, 1024):
        durations.add(nanoseconds)
    assert {power: count for power, count in enumerate(durations.counts) if count} == {0: 1, 1: 1, 2: 2, 10: 1, 11: 1}
    assert durations.total_ns == 2053


def test_a_wait_for_permission_is_no_part_of_an_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elapsed = 0
    monkeypatch.setattr("dormouse.engine.attempts.perf_counter_ns", lambda: elapsed)
    allowed = 0

    async def permission() -> None:
        nonlocal elapsed, allowed
        await asyncio.sleep(0)
        elapsed += 1_000_000
        allowed += 1

    async def scenario(engine: Engine) -> Tally:
        with pytest.raises(ExecutionFailed):
            await (await engine.start(all_sorts)).result()
        return engine.figures().tally

    tally: Tally = live(tmp_path, scenario, before_attempt=permission)
    assert tally.attempts["works"].succeeded == 2
    assert tally.attempts["works"].durations.total_ns == 0
    assert allowed >= 6  # for works twice, works_later three times, fails once


def test_names_beyond_what_is_bearable_share_one() -> None:
    tally = Tally()
    for number in range(_MOST_NAMES + 5):
        tally.attempts_of(str(number)).succeeded += 1
    assert len(tally.attempts) == _MOST_NAMES + 1
    assert tally.attempts[OTHERS].succeeded == 5
    assert tally.attempts_of("0").succeeded == 1


def test_every_end_of_an_attempt_is_counted(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> Tally:
        with pytest.raises(ExecutionFailed):
            await (await engine.start(all_sorts)).result()
        await until(lambda: engine.figures().tally.attempts["hangs"].cancelled)
        return engine.figures().tally

    tally = live(tmp_path, scenario)
    ends = {name: (one.succeeded, one.retried, one.failed, one.cancelled) for name, one in tally.attempts.items()}
    assert ends == {"works": (2, 0, 0, 0), "works_later": (1, 2, 0, 0), "hangs": (0, 0, 0, 1), "fails": (0, 0, 1, 0)}
    assert sum(tally.attempts["works_later"].durations.counts) == 3
    assert tally.steps == 4
    assert tally.started == {"all_sorts": 1}
    assert tally.closed == {("all_sorts", "Failed"): 1}
    assert tally.barriers.total_ns == 0


def test_commits_and_the_wait_for_the_store_are_counted(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        async with Engine(tmp_path / "db.sqlite", ALL, durability=SyncDurability(store)) as engine:
            starting = asyncio.ensure_future(engine.start(listens, id="one"))
            await until(lambda: engine.figures().commits_waiting)
            assert sum(engine.figures().tally.barriers.counts) == 0
            store.open()
            await starting
            assert engine.figures().commits_waiting == 0
            assert sum(engine.figures().tally.barriers.counts) >= 1
            assert sum(engine.figures().tally.commits.counts) == 1
            assert engine.figures().tally.events == 1

    asyncio.run(run())


@pytest.mark.parametrize("resting_in_memory", [256, 0])
def test_open_executions_are_counted_by_what_they_do_also_those_in_the_file(
    tmp_path: Path, resting_in_memory: int
) -> None:
    expected = {("naps", "sleeping"): 3, ("listens", "waiting"): 2}

    async def scenario(engine: Engine) -> None:
        for number in range(5):
            await engine.start("naps" if number < 3 else "listens", id=str(number))
        await until(lambda: engine.figures().executions == expected)
        figures = engine.figures()
        assert figures.timers == (3 if resting_in_memory else 5 - 2)
        assert (figures.attempts_running, figures.attempts_queued, figures.approvals) == (0, 0, 0)
        assert min(figures.database_bytes, figures.wal_bytes) > 0

    async def again(engine: Engine) -> None:
        await engine.recovered()
        assert engine.figures().executions == expected

    live(tmp_path, scenario, resting_in_memory=resting_in_memory)
    live(tmp_path, again, resting_in_memory=resting_in_memory)


def test_a_loop_that_stands_still_is_counted(tmp_path: Path) -> None:
    async def scenario(engine: Engine) -> int:
        await (await engine.start(stalls)).result()
        return engine.figures().loop_stalls

    assert live(tmp_path, scenario, blocked_loop_seconds=0.05) >= 1
