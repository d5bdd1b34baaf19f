"""Do a function's annotations have a JSON form?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from uuid import UUID

import pytest

from dormouse import Engine, ExecutionFailed, InvalidDefinition, activity, workflow
from dormouse.engine.annotations import refuse_unwritable
from dormouse.engine.definitions import check_what_was_unknown

T = TypeVar("T")


class Ordinary:
    """Has no JSON form."""


class Model:
    """Is known as Pydantic's models are."""

    @classmethod
    def model_validate(cls, _: Any) -> Model:
        return cls()


@dataclass
class Box:
    content: Ordinary
    next: Box | None = None


async def plain(a: int, b: list[Model] | None, c: Mapping[str, date], *d: T, **e: object) -> dict[int, T]: ...  # type: ignore[empty-body]
async def stop(everything: Iterable[int]) -> NoReturn:
    raise SystemExit(len(list(everything)))


async def bad_parameter(number: int, order: Ordinary) -> None: ...
async def bad_result(number: int) -> list[Ordinary]: ...  # type: ignore[empty-body]
async def bad_inside(box: Box | None) -> None: ...
async def bad_union(either: Ordinary | int) -> None: ...
async def bad_key(keys: dict[Ordinary, int]) -> None: ...


@pytest.mark.parametrize("function", [plain, stop, len])
def test_what_json_can_say_is_accepted(function: Any) -> None:
    refuse_unwritable("activity", function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            bad_parameter,
            "the activity bad_parameter: its parameter 'order' is annotated with Ordinary, but Ordinary has ",
        ),
        (bad_result, "the activity bad_result: its result is annotated with list.*Ordinary has no JSON form; annotate"),
        (bad_inside, r"parameter 'box' is annotated with .*Box.*, but Ordinary has no JSON form - at `\$.content`"),
        (bad_union, "parameter 'either' is annotated with .*JSON cannot tell"),
        (bad_key, "Ordinary has no JSON form"),
    ],
)
def test_what_has_no_json_form_is_refused_when_it_is_declared(function: Any, message: str) -> None:
    with pytest.raises(InvalidDefinition, match=message):
        activity(function)


def test_a_workflow_with_an_input_without_a_json_form_is_refused() -> None:
    async def carry(load: Ordinary) -> None: ...

    with pytest.raises(InvalidDefinition, match="the workflow carry: its parameter 'load'"):
        workflow(carry)


def test_a_name_that_is_defined_later_is_checked_by_the_engine(tmp_path: Path) -> None:
    module: dict[str, Any] = {"__name__": "later"}
    code = "from dormouse import activity\n@activity\nasync def carry(load: 'Load') -> None: ...\n"
    exec(code, module)
    with pytest.raises(
        InvalidDefinition, match="the activity carry: an annotation cannot be read, because name 'Load'"
    ):
        Engine(tmp_path / "db.sqlite", [])
    exec("class Load: ...", module)
    with pytest.raises(InvalidDefinition, match="Load has no JSON form"):
        Engine(tmp_path / "db.sqlite", [])
    exec("Load = int", module)
    check_what_was_unknown()


def test_an_annotation_that_is_never_found_fails_the_call_before_its_effect(tmp_path: Path) -> None:
    effects: list[int] = []
    hidden: dict[str, Any] = {}
    exec("class Hidden: ...", hidden)

    @activity
    async def act() -> Hidden:  # type: ignore[name-defined] # noqa: F821
        effects.append(1)

    @workflow
    async def go() -> None:
        await act()

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [go]) as engine:
            with pytest.raises(ExecutionFailed, match="name 'Hidden' is not defined"):
                await (await engine.start(go)).result()

    asyncio.run(run())
    assert effects == []


class Colour(Enum):
    RED = "red"


def test_keys_that_are_no_text_are_written_in_one_order_and_come_back(tmp_path: Path) -> None:
    numbers = {10: "ten", 2: "two"}
    mixed = {UUID(int=3): {Colour.RED: {date(2020, 1, 2): {"b", "a"}}}}

    @activity
    async def count(given: dict[int, str]) -> dict[int, str]:
        return dict(reversed(given.items()))

    @activity
    async def mix(
        given: dict[UUID, dict[Colour, dict[date, set[str]]]],
    ) -> dict[UUID, dict[Colour, dict[date, set[str]]]]:
        return given

    @workflow
    async def collect(given: dict[int, str]) -> dict[int, str]:
        assert await mix(mixed) == mixed
        return await count(given)

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [collect]) as engine:
            handle = await engine.start(collect, numbers)
            assert await handle.result() == numbers
            scheduled = [event.payload for event in engine.read.history(handle.id) if event.kind == "ActivityScheduled"]
            assert scheduled[-1] == b'[{"10":"ten","2":"two"}]'

    asyncio.run(run())
