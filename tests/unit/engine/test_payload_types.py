"""Does each type that an author annotates with come back as it was, and is the field named that does not?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntFlag, StrEnum
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pydantic
import pytest

from dormouse import Engine, ExecutionFailed, InvalidInput, activity, workflow
from dormouse.engine.payload import encode

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Unit(StrEnum):
    GRAM = "g"


class Right(IntFlag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict):
    name: str
    size: NotRequired[int]


@dataclass(frozen=True)
class Item:
    name: str
    price: Decimal
    tags: frozenset[str] = frozenset()
    colour: Colour | None = None


@dataclass
class Order:
    id: UUID
    at: datetime
    items: list[Item]
    extra: dict[str, Any] = field(default_factory=dict)


class Card(msgspec.Struct, tag="card"):
    number: str


class Transfer(msgspec.Struct, tag="transfer"):
    iban: str


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(min_length=1)
    born: date
    balance: Decimal = Decimal(0)
    friends: list[Person] = []


class Page(pydantic.BaseModel, Generic[T]):
    rows: list[T]


@pydantic.dataclasses.dataclass
class Address:
    street: str
    number: int


@dataclass
class Letter:
    to: Person
    address: Address | None
    content: bytes


NOON = datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=UTC)
ANNA = Person(name="Anna", born=date(1990, 2, 3), balance=Decimal("1.10"), friends=[Person(name="B", born=date.max)])
ITEM = Item("tea", Decimal("3.50"), frozenset({"b", "a", "c"}), Colour.BLUE)
CASES: list[tuple[Any, Any]] = [
    (Item, ITEM),
    (Order, Order(UUID(int=7), NOON, [ITEM, Item("cup", Decimal("0.1"))], {"gift": True, "notes": ["x", None]})),
    (Card | Transfer, Transfer("DE1")),
    (list[Card | Transfer], [Card("1"), Transfer("2")]),
    (Person, ANNA),
    (Person | None, None),
    (dict[UUID, Person], {UUID(int=1): ANNA}),
    (Page[int], Page[int](rows=[1, 2])),
    (Letter, Letter(ANNA, Address("High Street", 3), b"\x00\xff" * 10)),
    (datetime, NOON),
    (datetime, NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))),
    (datetime, datetime(2026, 3, 1, 1, 2, 3)),  # noqa: DTZ001 - without a zone it stays without one
    (date, date(2026, 3, 1)),
    (time, time(1, 2, 3)),
    (timedelta, timedelta(days=-3, microseconds=5)),
    (Decimal, Decimal("1.10")),
    (int, 2**70),
    (float, 1e300),
    (bytes, bytes(range(256))),
    (Colour, Colour.RED),
    (dict[Colour, int], {Colour.RED: 1}),
    (Unit, Unit.GRAM),
    (Right, Right.READ | Right.WRITE),
    (UUID, UUID(int=2**127)),
    (tuple[int, str, datetime], (1, "a", NOON)),
    (tuple[int, ...], (1, 2, 3)),
    (set[str], {"c", "a", "b"}),
    (frozenset[tuple[int, str]], frozenset({(2, "b"), (1, "a")})),
    (Point, Point(1, 2.5)),
    (Options, {"name": "x", "size": 3}),
    (Literal["a", 1], 1),
    (Sequence[int], [1, 2]),
    (Mapping[date, list[Item]], {date(2026, 1, 1): [ITEM]}),
    (str, "a\u0000\u001f\u2028🐭\ufeff"),
]


def through(path: Path, kind: Any, value: Any) -> Any:
    """As an input, an argument and a result, each read from the file by a second engine."""

    @activity
    async def hand_over(given: Any) -> Any:
        assert given == value
        return given

    @workflow
    async def carry(given: Any) -> Any:
        assert given == value
        return await hand_over(given)

    for function in (hand_over.function, carry.function):
        function.__annotations__ = {"given": kind, "return": kind}

    async def run() -> Any:
        async with Engine(path, [workflow(carry.function)]) as engine:
            return await (await engine.start("carry", value, id="one")).result()

    first = asyncio.run(run())
    assert asyncio.run(run()) == first
    return first


@pytest.mark.parametrize(("kind", "value"), CASES, ids=[f"{number}-{kind}" for number, (kind, _) in enumerate(CASES)])
def test_what_is_given_comes_back(tmp_path: Path, kind: Any, value: Any) -> None:
    back = through(tmp_path / "db.sqlite", kind, value)
    assert back == value
    assert type(back) is type(value)


def test_an_item_that_is_annotated_with_any_comes_back_as_plain_json(tmp_path: Path) -> None:
    async def run() -> Any:
        @activity
        async def give() -> Any:
            return {"at": NOON, "item": ITEM}

        @workflow
        async def carry() -> Any:
            return await give()

        async with Engine(tmp_path / "db.sqlite", [carry]) as engine:
            return await (await engine.start(carry)).result()

    back = asyncio.run(run())
    assert back["at"] == "2026-03-01T12:30:15.000250Z"
    assert back["item"]["price"] == "3.50"


class Ordinary:
    """Has no JSON form."""


loop: list[Any] = []
loop.append(loop)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1, {"b": Ordinary()}]}, r"Ordinary has no JSON form; pass .* - at `\$\.a\[1\]\.b`"),
        (Order(UUID(int=1), NOON, [ITEM], {"x": 1j}), r"complex has no JSON form; .* - at `\$\.extra\.x`"),
        (Person.model_construct(name=Ordinary(), born=None), r"Ordinary.* - at `\$\.name`"),
        ([Card(Ordinary())], r"Ordinary has no JSON form; .* - at `\$\[0\]\.number`"),  # type: ignore[arg-type]
        ({"file": "\ud800"}, r"surrogates not allowed - at `\$\.file`"),
        ({"keys": {(1, 2): 3}}, r"Only dicts with str-like or number-like keys are supported - at `\$\.keys`"),
        (loop, "it is nested too deeply, or in itself$"),
        (Ordinary(), r"Ordinary has no JSON form; pass [^`]*$"),
    ],
)
def test_what_has_no_json_form_is_refused_with_its_path(value: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        encode(value)


@pytest.mark.parametrize("value", ["\ud800", loop, {"a": Ordinary()}])
def test_a_result_without_a_json_form_fails_its_call_once(tmp_path: Path, value: Any) -> None:
    @activity
    async def give() -> Any:
        return value

    @workflow
    async def carry() -> None:
        await give()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [carry]) as engine:
            await (await engine.start(carry)).result()

    with pytest.raises(ExecutionFailed, match="give failed after 1 attempt: TypeError: the result of give does not"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Letter, {"to": {"name": "", "born": "2026-01-01"}}, r"`name`: String should have at least 1 .* - at `\$\.to`"),
        (list[Person], [{"name": "A"}], r"`born`: Field required - at `\$\[0\]`"),
        (
            Person,
            {"name": "A", "born": "2026-01-01", "friends": [{"name": "B"}]},
            "does not fit: `friends.0.born`: Field required$",
        ),
        (Order, {"id": "x"}, r"Invalid UUID - at `\$\.id`"),
        (Item, {"name": "tea", "price": "x"}, r"Invalid decimal string - at `\$\.price`"),
        (Item, {"name": "tea", "price": "1", "colour": "green"}, r"Invalid enum value 'green' - at `\$\.colour`"),
        (Letter, {"to": {"name": "A", "born": "2026-01-01"}, "address": None, "content": "?"}, r"base64.*\$\.content`"),
        (datetime, "yesterday", "Invalid RFC3339 encoded datetime"),
        (tuple[int, str], [1, 2], r"Expected `str`, got `int` - at `\$\[1\]`"),
        (set[int], ["1"], r"Expected `int`, got `str` - at `\$\[\.\.\.\]`|at `\$\[0\]`"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_the_field(tmp_path: Path, kind: Any, value: Any, said: str) -> None:
    async def carry(given: Any) -> None: ...

    carry.__annotations__ = {"given": kind, "return": None}

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [workflow(carry)]) as engine:
            await engine.start("carry", value)

    with pytest.raises(InvalidInput, match=said):
        asyncio.run(run())


def test_a_validator_that_breaks_fails_the_call(tmp_path: Path) -> None:
    class Odd(pydantic.BaseModel):
        @pydantic.model_validator(mode="before")
        @classmethod
        def look(cls, _: Any) -> Any:
            raise KeyError("gone")

    async def give() -> Any:
        return {}

    give.__annotations__ = {"return": Odd}
    call = activity(give)

    @workflow
    async def carry() -> None:
        await call()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [carry]) as engine:
            await (await engine.start(carry)).result()

    with pytest.raises(ExecutionFailed, match="the result of give does not fit: 'gone'"):
        asyncio.run(run())


def test_pydantic_is_not_imported_by_us() -> None:
    import subprocess

    code = "import sys, dormouse.engine.engine, dormouse.runtime.life; assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
