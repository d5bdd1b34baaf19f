"""What does a runtime send to its keeper, and what does it hear? A socket that answers as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dormouse.keeper.client import KeeperClient, KeeperGone

Scenario = Callable[[KeeperClient, list[dict[str, Any]], asyncio.Event], Awaitable[None]]


@asynccontextmanager
async def keeper(folder: Path, asked: list[dict[str, Any]], answers: asyncio.Event) -> AsyncIterator[Path]:
    conversations: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.current_task())
        while data := await reader.readline():
            asked.append(json.loads(data))
            await answers.wait()
            writer.write(json.dumps({"id": asked[-1]["id"], "ok": True}).encode() + b"\n")
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    path = folder / "keeper.sock"
    server = await asyncio.start_unix_server(serve, path)
    try:
        yield path
    finally:
        answers.set()
        server.close()
        await asyncio.gather(*(each for each in conversations if each is not None), return_exceptions=True)


def play(folder: Path, scenario: Scenario) -> None:
    async def run() -> None:
        asked: list[dict[str, Any]] = []
        answers = asyncio.Event()
        async with keeper(folder, asked, answers) as path, asyncio.timeout(60):
            client = await KeeperClient.connect(path)
            try:
                await scenario(client, asked, answers)
            finally:
                await client.close()

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0)


def test_all_who_want_a_barrier_in_one_turn_share_a_request(tmp_path: Path) -> None:
    async def scenario(client: KeeperClient, asked: list[dict[str, Any]], answers: asyncio.Event) -> None:
        answers.set()
        await asyncio.gather(*(client.barrier() for _ in range(1000)))
        assert [each["op"] for each in asked] == ["barrier"]
        await client.barrier()
        assert len(asked) == 2

    play(tmp_path, scenario)


def test_who_commits_while_a_barrier_is_under_way_waits_for_one_of_its_own(tmp_path: Path) -> None:
    async def scenario(client: KeeperClient, asked: list[dict[str, Any]], answers: asyncio.Event) -> None:
        first = asyncio.create_task(client.barrier())
        await until(lambda: len(asked) == 1)
        second = asyncio.create_task(client.barrier())
        answers.set()
        await asyncio.gather(first, second)
        assert len(asked) == 2

    play(tmp_path, scenario)


def test_one_who_stops_waiting_leaves_the_barrier_to_the_others(tmp_path: Path) -> None:
    async def scenario(client: KeeperClient, asked: list[dict[str, Any]], answers: asyncio.Event) -> None:
        impatient, patient = (asyncio.create_task(client.barrier()) for _ in range(2))
        await until(lambda: len(asked) == 1)
        impatient.cancel()
        answers.set()
        await patient
        assert impatient.cancelled() or impatient.cancelling()

    play(tmp_path, scenario)


def test_a_keeper_that_is_gone_is_told_to_all_who_wait_for_a_barrier(tmp_path: Path) -> None:
    async def scenario(client: KeeperClient, asked: list[dict[str, Any]], answers: asyncio.Event) -> None:
        waiting = [asyncio.create_task(client.barrier()) for _ in range(3)]
        await until(lambda: len(asked) == 1)
        await client.close()
        for each in waiting:
            with pytest.raises(KeeperGone):
                await each

    play(tmp_path, scenario)
