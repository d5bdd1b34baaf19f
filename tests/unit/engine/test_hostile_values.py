"""What becomes of values that JSON, or UTF-8, cannot hold? Refused where they are given, at nobody else's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dormouse import (
    ActivityError,
    Engine,
    ExecutionFailed,
    InvalidInput,
    RetryPolicy,
    Signal,
    Update,
    Workflow,
    activity,
    workflow,
)
from dormouse.testing import replay

go = Signal("go")
add = Update("add", int, int)


def deep() -> list[Any]:
    inner: list[Any] = []
    for _ in range(100_000):
        inner = [inner]
    return inner


def in_itself() -> list[Any]:
    one: list[Any] = []
    one.append(one)
    return one


REFUSED: dict[str, Callable[[], Any]] = {
    "half": lambda: "half \ud800",
    "half key": lambda: {"\ud800": 1},
    "deep": deep,
    "in itself": in_itself,
}
KEPT: dict[str, Any] = {
    "huge": 10**40,
    "below": -(2**70),
    "above": 2**64 - 1,
    "zero byte": "a\0b",
    "none": [None, 1.5],
}


@activity(retry=RetryPolicy(attempts=1))
async def takes(value: object) -> object:
    return value


@activity(retry=RetryPolicy(attempts=1))
async def gives(name: str) -> object:
    return REFUSED[name]()


@workflow
async def carries(name: str) -> object:
    """What an activity makes of it, or why there is none."""
    if name in KEPT:
        return await takes(KEPT[name])
    told = []
    attempts: list[Callable[[], Awaitable[object]]] = [lambda: takes(REFUSED[name]()), lambda: gives(name)]
    for attempt in attempts:
        try:
            await attempt()
        except (TypeError, ActivityError) as error:
            told.append(type(error).__name__)
    return told


@workflow
async def returns(name: str) -> object:
    return REFUSED[name]()


@workflow
async def waits() -> None:
    async def answer(number: int) -> int:
        return number

    add.answer(answer)
    await go.receive()


WORKFLOWS: list[Workflow[..., Any]] = [carries, returns, waits]


def test_a_value_without_a_json_form_is_refused_where_it_is_given(tmp_path: Path) -> None:
    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", WORKFLOWS) as engine:
            for name in REFUSED:
                assert await (await engine.start(carries, name)).result() == ["TypeError", "ActivityError"]
                with pytest.raises(ExecutionFailed, match="TypeError"):
                    await (await engine.start(returns, name)).result()

    asyncio.run(run())
    replay(tmp_path / "db.sqlite", WORKFLOWS)


def test_unusual_values_come_back_as_they_were(tmp_path: Path) -> None:
    async def run() -> dict[str, Any]:
        async with Engine(tmp_path / "db.sqlite", WORKFLOWS) as engine:
            return {name: await (await engine.start(carries, name)).result() for name in KEPT}

    assert asyncio.run(run()) == KEPT


def test_text_that_cannot_be_written_is_refused_before_anything_happens(tmp_path: Path) -> None:
    half = "half \ud800"

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", WORKFLOWS) as engine:
            with pytest.raises(InvalidInput, match="surrogate"):
                await engine.start(waits, idempotency_key=half)
            handle = await engine.start(waits, id="one")
            for ask in (
                lambda: handle.signal(go, idempotency_key=half),
                lambda: handle.update(add, 1, idempotency_key=half),
                lambda: handle.cancel(half),
                lambda: handle.terminate(half),
            ):
                with pytest.raises(InvalidInput, match="surrogate"):
                    await ask()
            await handle.signal(go)
            await handle.result()

    asyncio.run(run())
