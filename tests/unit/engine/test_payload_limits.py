"""What happens to a value that is too large?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dormouse import AnswerFailed, Engine, ExecutionFailed, PayloadTooLarge, Query, activity, workflow
from dormouse.engine import payload

ran: list[str] = []
everything = Query("everything", str)


@pytest.fixture(autouse=True)
def at_most_10_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "LARGEST_PAYLOAD", 10_000)
    ran.clear()


@activity
async def measure(text: str) -> int:
    ran.append("measure")
    return len(text)


@activity
async def make(length: int) -> str:
    ran.append("make")
    return "a" * length


@workflow
async def carry(text: str) -> str:
    try:
        await measure(text * 2)
    except PayloadTooLarge as refused:
        return str(refused)
    return "carried"


@workflow
async def produce(length: int) -> int:
    return len(await make(length))


async def run(path: Path, name: str, value: object) -> object:
    async with Engine(path, [carry, produce]) as engine:
        return await (await engine.start(name, value)).result()


def test_an_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PayloadTooLarge, match="put it into an object store and pass its key"):
        asyncio.run(run(tmp_path / "db.sqlite", "carry", "a" * 10_001))


def test_arguments_are_refused_where_they_are_passed(tmp_path: Path) -> None:
    said = asyncio.run(run(tmp_path / "db.sqlite", "carry", "a" * 9_000))
    assert "a value has 0.0 MiB as JSON" in str(said)
    assert ran == []
    assert asyncio.run(run(tmp_path / "db.sqlite", "carry", "a" * 4_000)) == "carried"


def test_a_result_fails_its_call_without_a_retry_and_names_it(tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed, match="PayloadTooLarge: the result of make does not fit: a value"):
        asyncio.run(run(tmp_path / "db.sqlite", "produce", 10_001))
    assert ran == ["make"]


def test_an_answer_that_is_too_large_is_no_answer(tmp_path: Path) -> None:
    @workflow
    async def answers() -> None:
        everything.answer(lambda: "a" * 10_001)
        await asyncio.sleep(3600)

    async def ask() -> None:
        async with Engine(tmp_path / "db.sqlite", [answers]) as engine:
            await (await engine.start(answers)).query(everything)

    with pytest.raises(AnswerFailed, match="the answer to 'everything' failed: PayloadTooLarge"):
        asyncio.run(ask())
