"""Is a keeper's round that is told to end always ended? One that misses it would go on for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dormouse.keeper.control_socket import ControlSocket
from dormouse.keeper.litestream import Litestream
from dormouse.replica.s3 import Location


@pytest.mark.parametrize("turns", range(6))
def test_a_sync_that_is_cancelled_just_when_its_answer_comes_does_not_lose_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, turns: int
) -> None:
    async def main() -> None:
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

        async def post(*_: Any) -> tuple[int, bytes]:
            return await answer

        litestream = Litestream(Location("bucket"), "prefix", tmp_path / "db.sqlite", tmp_path, 3600)
        monkeypatch.setattr(ControlSocket, "post", post)
        rounds = 0

        async def forever() -> None:
            nonlocal rounds
            while True:
                await litestream.sync()
                rounds += 1
                await asyncio.sleep(0.01)

        going = asyncio.create_task(forever())
        await asyncio.sleep(0)
        answer.set_result((200, b'{"txid": 1, "replicated_txid": 1}'))
        for _ in range(turns):
            await asyncio.sleep(0)
        going.cancel()
        await asyncio.wait({going}, timeout=0.5)
        assert going.cancelled(), f"it went on for {rounds} rounds"

    asyncio.run(main())
