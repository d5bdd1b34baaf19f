"""Does a person learn from one sentence what a workflow waits for?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from engine_lab import committing_at_once, settle, until, until_asleep

from dormouse import RetryPolicy, activity, workflow
from dormouse.engine.clock import SECOND, ManualClock
from dormouse.engine.engine import Engine
from dormouse.engine.payload import Failure
from dormouse.engine.standing import Doing, Waiting
from dormouse.keeper.client import KeeperClient
from dormouse.runtime.telling import keep_telling, sentence, status_of

NOON = 1_772_366_400 * SECOND
REFUSED = Failure("ConnectionError", "refused\nby \x1b[31mhost", None)


@pytest.mark.parametrize(
    ("does", "waits", "expected"),
    [
        ("sleeping", [Waiting("timer", due=NOON + 60 * SECOND), Waiting("timer", due=NOON)],
         "main sleeps until 2026-03-01T12:00:00Z"),
        ("running", [Waiting("activity", "fetch", 1)], "main runs fetch"),
        ("running", [Waiting("timer", due=NOON), Waiting("activity", "fetch", 3, REFUSED)],
         "main runs fetch (attempt 3) after ConnectionError: refused by  [31mhost"),
        ("retrying", [Waiting("activity", "fetch", 2, REFUSED, NOON + 8 * SECOND)],
         "main retries fetch at 2026-03-01T12:00:08Z (attempt 2) after ConnectionError: refused by  [31mhost"),
        ("waiting", [], "main runs its code"),
        ("waiting", [Waiting("signal", "approve")], "main waits for signal approve"),
        ("sleeping", [Waiting("signal", "approve"), Waiting("timer", due=NOON)],
         "main waits for signal approve until 2026-03-01T12:00:00Z"),
        ("sleeping", [Waiting("approval", "pay", due=NOON, id="0af3")],
         "main waits for approval pay until 2026-03-01T12:00:00Z"),
        ("waiting", [Waiting("child", "ship", id="main/ship-1")], "main waits for child main/ship-1"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_is_waited_for(does: Doing, waits: list[Waiting], expected: str) -> None:
    assert sentence("main", does, waits, 0) == expected


def test_the_sentence_counts_the_others() -> None:
    assert sentence("main", "waiting", [], 99) == "main runs its code; 99 more open"


def test_a_long_error_is_cut() -> None:
    failure = Failure("ValueError", "x" * 5000, None)
    assert len(sentence("main", "running", [Waiting("activity", "fetch", 2, failure)], 0)) < 300


@activity(retry=RetryPolicy(initial_seconds=8))
async def fetch() -> None:
    raise ConnectionError("refused")


@workflow
async def napping() -> None:
    await asyncio.sleep(3600)


@workflow
async def fetching() -> None:
    await fetch()


def test_of_many_executions_the_one_in_trouble_is_told_with_the_moment_of_its_next_attempt(tmp_path: Path) -> None:
    async def story() -> None:
        clock = ManualClock(NOON)
        async with Engine(tmp_path / "db", [napping, fetching], clock=clock) as engine:
            for number in range(3):
                await engine.start(napping, id=f"nap-{number}")
            await engine.start(fetching, id="order-7")
            await until_asleep(engine)
            status = status_of(engine)
        assert (status.executions.open, status.executions.sleeping, status.executions.retrying) == (4, 3, 1)
        assert status.next_wake_at == "2026-03-01T12:00:08.000Z"
        assert status.waiting_for == (
            "order-7 retries fetch at 2026-03-01T12:00:08Z (attempt 2) after ConnectionError: refused; 3 more open"
        )

    asyncio.run(story())


def test_an_execution_that_the_code_cannot_follow_is_told_with_both_source_lines(tmp_path: Path) -> None:
    async def before() -> None:
        await asyncio.sleep(3600)

    async def after() -> None:
        await fetch()

    async def story() -> None:
        clock = ManualClock(NOON)
        before.__name__ = before.__qualname__ = after.__name__ = after.__qualname__ = "order"
        async with Engine(tmp_path / "db", [workflow(before)], clock=clock) as engine:
            await engine.start("order", id="order-7")
            await until_asleep(engine)
        async with Engine(tmp_path / "db", [workflow(after)], clock=clock) as engine:
            await until(lambda: engine.standing().blocked == 1)
            status = status_of(engine)
        (blocked,) = status.blocked
        assert (blocked.execution, blocked.reason) == ("order-7", "NonDeterministic")
        assert blocked.message.count("test_runtime_sentence.py:") == 2
        assert status.waiting_for == "order-7 is blocked: NonDeterministic"

    asyncio.run(story())


def test_an_engine_without_open_executions_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with Engine(tmp_path / "db", [napping]) as engine:
            status = status_of(engine)
        assert (status.executions.open, status.waiting_for, status.next_wake_at) == (0, "no execution is open", "")

    asyncio.run(story())


class Listening:
    """A keeper that hears everything."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    async def tell_status(self, status: dict[str, Any]) -> None:
        self.told.append(status)


@committing_at_once()
def test_what_is_told_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse.runtime.telling._PAUSE_SECONDS", 0)
    ends: list[asyncio.Event] = []

    @activity
    async def step() -> None:
        ends.append(asyncio.Event())
        await ends[-1].wait()

    @workflow
    async def stepping() -> None:
        await step()
        await step()

    async def story() -> None:
        keeper = Listening()
        async with Engine(tmp_path / "db", [stepping]) as engine:
            telling = asyncio.create_task(keep_telling(engine, cast("KeeperClient", keeper)))
            await engine.start(stepping, id="main")
            await until(lambda: bool(keeper.told) and keeper.told[-1]["executions"]["running"] == 1)
            ends[0].set()
            await until(lambda: len(ends) == 2)
            await settle()
            told = [each["waitingFor"] for each in keeper.told]
            assert told.count("main runs step") == 1
            ends[1].set()
            await until(lambda: keeper.told[-1]["executions"]["open"] == 0)
            telling.cancel()

    asyncio.run(story())


def test_an_engine_tells_that_its_executions_moved(tmp_path: Path) -> None:
    async def story() -> None:
        clock = ManualClock(NOON)
        async with Engine(tmp_path / "db", [fetching], clock=clock) as engine:
            await engine.start(fetching)
            await until_asleep(engine)
            await engine.moved()
            moving = asyncio.create_task(engine.moved())
            await asyncio.sleep(0)
            assert not moving.done()
            clock.advance(8)
            await asyncio.wait_for(moving, 60)

    asyncio.run(story())
