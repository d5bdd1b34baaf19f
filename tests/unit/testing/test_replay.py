"""Is it told which recorded executions could not go on with the present code?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dormouse import Signal, Workflow, activity, workflow
from dormouse.client.opening import NotReadable
from dormouse.testing import Durable, NotReplayed, replay

go = Signal("go", str)
ran: list[str] = []


@activity
async def fetch(name: str) -> str:
    ran.append(name)
    return name


def shop(first: str, *, then: str = "") -> list[Workflow[..., Any]]:
    """One version of the code."""

    @workflow
    async def order() -> str:
        text = await fetch(first)
        await go.receive()
        return text + (await fetch(then) if then else "")

    @workflow
    async def short() -> str:
        return await fetch(first)

    return [order, short]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What the first version has done: one has ended, one waits."""
    durable = Durable(tmp_path)

    async def record() -> None:
        async with durable.engine(shop("a")) as engine:
            await (await engine.start("short", id="ended")).result()
            await engine.start("order", id="open")
            await engine.sleep(1)

    asyncio.run(record())
    ran.clear()
    return durable.database


def test_the_same_code_replays_everything_and_runs_nothing(file: Path) -> None:
    before = file.read_bytes()
    assert replay(file, shop("a")) == ["ended", "open"]
    assert ran == []
    assert file.read_bytes() == before


def test_code_may_go_on_differently_from_where_the_log_ends(file: Path) -> None:
    assert replay(file, shop("a", then="b")) == ["ended", "open"]


def test_code_that_asks_for_something_else_is_told_with_a_suggestion(file: Path) -> None:
    with pytest.raises(NotReplayed, match=r"2 cannot go on with this code(.|\n)*open: the log says") as refused:
        replay(file, shop("b"))
    assert refused.value.blocked.keys() == {"ended", "open"}
    assert 'patched("fetch-1")' in str(refused.value)


def test_only_what_is_open_needs_its_workflow(file: Path) -> None:
    order, short = shop("a")
    assert replay(file, [order]) == ["ended", "open"]
    with pytest.raises(NotReplayed, match="no workflow 'order'"):
        replay(file, [short])


def test_a_test_that_is_async_replays_as_well(file: Path) -> None:
    async def test() -> list[str]:
        return replay(file, shop("a"))

    assert asyncio.run(test()) == ["ended", "open"]


def test_a_folder_of_recorded_files_is_replayed_and_each_execution_named_with_its_file(file: Path) -> None:
    (file.parent / "other.sqlite").write_bytes(file.read_bytes())
    names = ["other.sqlite/ended", "other.sqlite/open", "test.sqlite/ended", "test.sqlite/open"]
    assert replay(file.parent, shop("a")) == names
    with pytest.raises(NotReplayed, match="4 cannot go on") as refused:
        replay(file.parent, shop("b"))
    assert list(refused.value.blocked) == names


def test_a_folder_without_files_or_a_file_that_is_not_there_is_not_taken_for_a_success(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="so nothing was replayed"):
        replay(tmp_path, shop("a"))
    with pytest.raises(NotReadable, match="there is no file"):
        replay(tmp_path / "no.sqlite", shop("a"))
