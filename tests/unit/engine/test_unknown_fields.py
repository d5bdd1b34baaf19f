"""Which field of an input does the workflow's type not know?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

import msgspec
import pytest

from dormouse import Engine, InvalidInput, activity, workflow
from dormouse.engine.unknown_fields import refuse_unknown_fields, with_fields


class Address(TypedDict):
    street: NotRequired[str]


class Cash(msgspec.Struct, tag="cash"):
    cents: int = 0


class Card(msgspec.Struct, tag="card"):
    number: str = ""


class Pair(NamedTuple):
    first: Cash
    second: int = 0


class Renamed(msgspec.Struct, rename="camel"):
    best_before: str = ""


@dataclass
class Need:
    number: int


@dataclass
class Order:
    hours_until_pickup: float = 24.0
    address: Address | None = None
    parts: list[Order] = field(default_factory=list)
    payments: dict[str, Cash | Card] = field(default_factory=dict)
    pair: tuple[Renamed, int] | None = None
    named: Pair | None = None
    free: Any = None


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"hours_until_pickp":0}', r"unknown field `\$\.hours_until_pickp`; did you mean `hours_until_pickup`\?"),
        (b'{"address":{"stret":"x"}}', r"`\$\.address\.stret`; did you mean `street`\?"),
        (
            b'{"parts":[{},{"parts":[{"adress":null}]}]}',
            r"`\$\.parts\[1\]\.parts\[0\]\.adress`; did you mean `address`",
        ),
        (b'{"payments":{"a":{"type":"card","cents":3}}}', r"`\$\.payments\['a'\]\.cents`; there are: number"),
        (b'{"pair":[{"best_before":"x"},1]}', r"`\$\.pair\[0\]\.best_before`; did you mean `bestBefore`\?"),
        (b'{"named":[{"type":"cash","cent":3}]}', r"`\$\.named\[0\]\.cent`; did you mean `cents`\?"),
    ],
)
def test_an_unknown_field_is_named_by_its_path_with_what_was_meant(payload: bytes, message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        refuse_unknown_fields(Order, payload)


def test_what_the_type_knows_or_leaves_open_passes() -> None:
    known = b'{"payments":{"x":{"type":"cash","cents":1}},"free":{"any":[{"thing":1}]},"named":[{"type":"cash"},2]}'
    refuse_unknown_fields(Order, known)
    refuse_unknown_fields(dict[str, int], b'{"a":1}')
    refuse_unknown_fields(Any, b'[{"a":1}]')


@pytest.mark.parametrize("payload", [b"3", b"[]", b"null", b'{"parts":3,"payments":[1],"named":{}}'])
def test_what_has_another_shape_is_left_to_the_decoder(payload: bytes) -> None:
    refuse_unknown_fields(Order, payload)


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        (Need, b"3", "Expected `object`, got `int`; Need has the fields number"),
        (Renamed, b'"x"', "Expected `object`, got `str`; Renamed has the fields bestBefore"),
        (Address, b"[]", "Expected `object`, got `array`; Address has the fields street"),
        (Need, b'{"number": "3"}', "Expected `int`, got `str` - at `$.number`"),
        (dict[str, int], b"3", "Expected `object`, got `int`"),
        (int, b'"x"', "Expected `int`, got `str`"),
        (None, b"3", "it carries none; leave the value out"),
    ],
)
def test_of_what_is_no_object_at_all_it_is_said_which_fields_it_should_have(
    kind: Any, payload: bytes, said: str
) -> None:
    with pytest.raises(msgspec.DecodeError) as error:
        msgspec.json.decode(payload, type=kind)
    assert with_fields(kind, error.value) == said


def test_a_misspelt_field_is_refused_at_the_start_and_not_by_a_replay(tmp_path: Path) -> None:
    @activity
    async def relay() -> Order:
        return {"hours_until_pickp": 1}  # type: ignore[return-value]

    @workflow
    async def handle(order: Order) -> float:
        return order.hours_until_pickup + (await relay()).hours_until_pickup

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [handle]) as engine:
            with pytest.raises(InvalidInput, match="the input of handle does not fit: unknown field"):
                await engine.start_encoded("handle", b'{"hours_until_pickp":0}')
            assert engine.standing().open == 0
            assert await (await engine.start(handle, Order(1.0))).result() == 25.0

    asyncio.run(run())


def test_a_misspelt_required_field_is_not_only_said_to_be_missing(tmp_path: Path) -> None:
    @workflow
    async def needy(need: Need) -> None: ...

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [needy]) as engine:
            with pytest.raises(InvalidInput, match="did you mean `number`"):
                await engine.start("needy", {"numbr": 1})

    asyncio.run(run())
