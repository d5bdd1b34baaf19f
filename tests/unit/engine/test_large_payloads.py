"""Do large payloads come out of the file as they went in, and do they lie there once?"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from engine_lab import EveryCommit

from dormouse import Engine, Query, Signal, Workflow, activity, continue_as_new, workflow
from dormouse.client.file import DatabaseFile
from dormouse.testing import replay

Message = dict[str, str]
hint = Signal("hint", str)
told = Query("told", str)
ran: list[int] = []


def answer(number: int) -> Message:
    return {"role": "assistant", "content": f"{number:08}" * 250}


@activity
async def ask(conversation: list[Message]) -> Message:
    ran.append(len(conversation))
    return answer(len(conversation))


@workflow
async def agent(turns: int) -> list[Message]:
    conversation = [{"role": "user", "content": "begin"}]
    for _ in range(turns):
        conversation.append(await ask(conversation))
    return conversation


@workflow
async def listens(rounds: int) -> str:
    word = await hint.receive()
    told.answer(lambda: word)
    await ask([{"role": "user", "content": word}])
    if rounds:
        continue_as_new(rounds - 1)
    await hint.receive()
    return word


ALL: list[Workflow[..., Any]] = [agent, listens]


def expected(turns: int) -> list[Message]:
    return [{"role": "user", "content": "begin"}, *(answer(number) for number in range(1, turns + 1))]


def counted(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


async def converse(path: Path, turns: int, durability: EveryCommit | None = None) -> list[Message]:
    async with Engine(path, ALL, durability=durability) as engine:
        return await (await engine.start(agent, turns, id="agent")).result()


def test_an_agent_goes_on_from_any_commit_and_repeats_nothing(tmp_path: Path) -> None:
    commits = EveryCommit(tmp_path / "db.sqlite", tmp_path)
    assert asyncio.run(converse(tmp_path / "db.sqlite", 6, commits)) == expected(6)
    for copy in commits.copies:
        ran.clear()
        assert asyncio.run(converse(copy, 6)) == expected(6)
        assert len(ran) == len(set(ran))
        assert counted(copy, "dormouse_part") == counted(tmp_path / "db.sqlite", "dormouse_part")


def test_a_conversation_is_in_the_file_once(tmp_path: Path) -> None:
    asyncio.run(converse(tmp_path / "db.sqlite", 40))
    with closing(sqlite3.connect(tmp_path / "db.sqlite")) as connection:
        (stored,) = connection.execute("SELECT sum(length(content)) FROM dormouse_chunk").fetchone()
        (inline,) = connection.execute("SELECT sum(length(payload)) FROM event").fetchone()
    assert stored + inline < 1.3 * 40 * len(answer(1)["content"])


def test_the_file_and_the_engine_show_payloads_whole(tmp_path: Path) -> None:
    asyncio.run(converse(tmp_path / "db.sqlite", 3))

    async def shown() -> list[Any]:
        async with Engine(tmp_path / "db.sqlite", ALL) as engine:
            await engine.recovered()
            return [event.payload for event in engine.read.history("agent")]

    with DatabaseFile(tmp_path / "db.sqlite") as file:
        assert [bytes(one.payload) for one in file.history("agent")] == asyncio.run(shown())  # type: ignore[arg-type]
        assert answer(3)["content"].encode() in bytes(file.outcome("agent").result)  # type: ignore[arg-type]
    assert replay(tmp_path / "db.sqlite", ALL) == ["agent"]


def test_large_messages_survive_a_restart_and_a_new_run(tmp_path: Path) -> None:
    word = "hint " * 1000

    async def say() -> None:
        async with Engine(tmp_path / "db.sqlite", ALL) as engine:
            handle = await engine.start(listens, 1, id="one")
            await handle.signal(hint, word, idempotency_key="first")
            await engine.settled()

    async def ask_again() -> str:
        async with Engine(tmp_path / "db.sqlite", ALL) as engine:
            handle = engine.handle("one", listens)
            await handle.signal(hint, word, idempotency_key="first")  # it is known
            await handle.signal(hint, word, idempotency_key="second")
            await handle.signal(hint, "end", idempotency_key="third")
            return await handle.result()

    asyncio.run(say())
    assert asyncio.run(ask_again()) == word
    with closing(sqlite3.connect(tmp_path / "db.sqlite")) as connection:
        runs = [run for (run,) in connection.execute("SELECT DISTINCT run FROM dormouse_part ORDER BY run")]
        begun = connection.execute(
            "SELECT position FROM event WHERE kind IN ('ExecutionStarted', 'ExecutionContinued') ORDER BY position"
        )
        assert runs == [position for (position,) in begun]


def test_a_part_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    asyncio.run(converse(tmp_path / "db.sqlite", 2))
    with closing(sqlite3.connect(tmp_path / "db.sqlite", isolation_level=None)) as connection:
        connection.execute("DELETE FROM dormouse_chunk")
    with (
        DatabaseFile(tmp_path / "db.sqlite") as file,
        pytest.raises(sqlite3.DatabaseError, match=r"the part \d+ of a payload is missing"),
    ):
        file.history("agent")
