"""Does plain logging say whose it is, and is what was said before a restart not said again?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from engine_lab import until

from dormouse import Engine, ExecutionFailed, Query, RetryPolicy, Signal, Workflow, activity, activity_info, workflow

log = logging.getLogger("shop")
go_on = Signal("go_on")
seen = Query("seen", int)


@activity(retry=RetryPolicy(initial_seconds=0))
async def pack(item: str) -> str:
    log.info("packs %s", item)
    if activity_info().attempt == 1:
        raise ConnectionError("no paper")
    return item


@activity
def weigh(item: str) -> int:
    log.info("weighs %s", item)
    return len(item)


@workflow
async def ship(item: str) -> int:
    log.info("begins with %s", item)
    weight = await weigh(item)
    log.info("weighed", extra={"execution": "mine"})
    await go_on.receive()
    log.info("goes on")
    await pack(item)
    seen.answer(lambda: weight)
    return weight


@workflow
async def fail() -> None:
    raise ValueError("no luck")


ALL: list[Workflow[..., Any]] = [ship, fail]


@pytest.fixture(autouse=True)
def hear_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def live(path: Path, scenario: Callable[[Engine], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", ALL, **options) as engine:
            await engine.recovered()
            return await scenario(engine)

    return asyncio.run(run())


def said(caplog: pytest.LogCaptureFixture, name: str = "shop") -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == name]


async def until_it_waits(engine: Engine) -> None:
    await until(lambda: [one.kind for one in engine.read.waits_for("one")] == ["signal"])


async def begin(engine: Engine) -> None:
    await engine.start(ship, "tea", id="one")
    await until_it_waits(engine)


async def finish(engine: Engine) -> None:
    await engine.handle("one").signal(go_on)
    assert await engine.handle("one").result() == 3


@pytest.mark.parametrize("restarts", [0, 1, 3])
def test_each_line_is_said_once_however_often_it_is_replayed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, restarts: int
) -> None:
    live(tmp_path, begin)
    for _ in range(restarts):
        live(tmp_path, until_it_waits)
    live(tmp_path, finish)
    assert said(caplog) == ["begins with tea", "weighs tea", "weighed", "goes on", "packs tea", "packs tea"]


def test_one_that_leaves_memory_and_comes_back_says_nothing_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(engine: Engine) -> None:
        await begin(engine)
        await until(lambda: not list(engine._registry))
        await finish(engine)

    live(tmp_path, scenario, resting_in_memory=0)
    assert said(caplog).count("begins with tea") == 1


def test_the_answer_to_a_query_after_the_end_says_nothing_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(engine: Engine) -> None:
        await begin(engine)
        await finish(engine)
        before = len(said(caplog))
        assert await engine.handle("one").query(seen) == 3
        assert len(said(caplog)) == before

    live(tmp_path, scenario)


def test_a_record_says_whose_it_is_and_keeps_what_the_code_has_said_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(engine: Engine) -> None:
        await begin(engine)
        log.info("outside")
        await finish(engine)

    live(tmp_path, scenario)
    names = ("execution", "workflow", "activity", "attempt")
    whose = [
        (record.getMessage(), *(getattr(record, name, None) for name in names))
        for record in caplog.records
        if record.name == "shop"
    ]
    assert whose == [
        ("begins with tea", "one", "ship", None, None),
        ("weighs tea", "one", "ship", "weigh", 1),
        ("weighed", "mine", "ship", None, None),
        ("outside", None, None, None, None),
        ("goes on", "one", "ship", None, None),
        ("packs tea", "one", "ship", "pack", 1),
        ("packs tea", "one", "ship", "pack", 2),
    ]


def test_what_the_engine_says_of_an_execution_is_marked_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(ExecutionFailed):
            await (await engine.start(fail, id="two")).result()

    live(tmp_path, scenario)
    (record,) = [record for record in caplog.records if record.name == "dormouse.execution"]
    assert (vars(record)["execution"], vars(record)["workflow"]) == ("two", "fail")


def test_an_activity_that_is_called_directly_is_marked_as_that(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(weigh("tea")) == 3
    (record,) = caplog.records
    assert (vars(record)["execution"], vars(record)["activity"]) == ("direct", "weigh")
