"""What becomes of values that JSON, or UTF-8, cannot hold? Refused where they are given, at nobody else's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

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
from dormouse.engine.payload import decoder, encode
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
    "nan": lambda: {"cents": [1.5, float("nan")], "note": None},
    "infinity": lambda: -float("inf"),
}
KEPT: dict[str, Any] = {
    "huge": 10**40,
    "below": -(2**70),
    "above": 2**64 - 1,
    "zero byte": "a\0b",
    "none": [None, 1.5],
    "nulls": {"null": "null", "none": None, "text": "NaN", "floats": [1e308, -0.0]},
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
                with pytest.raises(ExecutionFailed, match="TypeError: the workflow's result does not fit: "):
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


@dataclass
class Price:
    cents: float
    note: str | None = None


class Priced(BaseModel):
    price: Price


class Packed(msgspec.Struct):
    prices: dict[str, Price]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("around", "place"),
    [
        (lambda number: number, None),
        (lambda number: {"a": [None, number]}, "$.a[1]"),
        (lambda number: ("a", Price(number)), "$[1].cents"),
        (lambda number: Priced(price=Price(number, "new")), "$.price.cents"),
        (lambda number: [Packed({"tea": Price(1), "cup": Price(number)})], "$[0].prices.cup.cents"),
        (lambda number: {1: None, 2: number}, "$[2]"),
    ],
)
def test_a_number_that_json_lacks_is_refused_with_its_place(
    number: float, around: Callable[[float], Any], place: str | None
) -> None:
    with pytest.raises(TypeError) as refused:
        encode(around(number))
    what = "JSON has no NaN and no infinity; pass None, a text or a Decimal in its place"
    assert str(refused.value) == (what if place is None else f"{what} - at `{place}`")


def test_a_decimal_that_is_no_number_comes_back() -> None:
    assert decoder(list[Decimal | None]).decode(encode([Decimal("NaN"), None]))[0].is_nan()


def test_a_message_and_an_input_that_json_lacks_are_refused_before_anything_happens(tmp_path: Path) -> None:
    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", WORKFLOWS) as engine:
            with pytest.raises(TypeError, match="JSON has no NaN"):
                await engine.start("carries", float("nan"))
            handle = await engine.start(waits, id="one")
            with pytest.raises(TypeError, match=r"JSON has no NaN .* - at `\$.n`"):
                await handle.signal("go", {"n": float("inf")})
            with pytest.raises(TypeError, match="JSON has no NaN"):
                await handle.update("add", float("nan"))
            assert [event.kind for event in await handle.history()] == ["ExecutionStarted"]
            assert len((await engine.executions()).executions) == 1

    asyncio.run(run())
