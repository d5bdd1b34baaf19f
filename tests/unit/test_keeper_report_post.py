"""Whom does a report meet behind a Service that chooses anew for each connection?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from dormouse.keeper.report_post import NotTaken, post
from dormouse.keeper.settings import Operator

STANDBY = (503, '{"error": {"reason": "NotTheLeader", "message": "ask again"}}')
BUSY = (503, '{"error": {"reason": "Busy", "message": "report again"}}')
TAKEN = (204, "")


def posted(folder: Path, answers: Sequence[tuple[int, str]]) -> tuple[str, int]:
    """What became of one post to a Service that answers so, one connection after the other, and how many there were."""
    (folder / "token").write_text("of-a-pod")
    met = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal met
        status, body = answers[min(met, len(answers) - 1)]
        met += 1
        await reader.readuntil(b"{}")
        length = f"content-length: {len(body)}\r\n" if body else ""
        writer.write(f"HTTP/1.1 {status} It\r\n{length}connection: close\r\n\r\n{body}".encode())
        writer.close()

    async def story() -> str:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            try:
                await post(Operator(host, port, folder / "token"), b"{}")
            except NotTaken as why:
                return str(why)
        return "taken"

    return asyncio.run(story()), met


def test_a_report_that_meets_the_standby_asks_again_at_once_on_a_new_connection(tmp_path: Path) -> None:
    assert posted(tmp_path, [STANDBY] * 7 + [TAKEN]) == ("taken", 8)


def test_where_nobody_leads_it_gives_up_for_a_while(tmp_path: Path) -> None:
    told, connections = posted(tmp_path, [STANDBY])
    assert (connections, "NotTheLeader" in told) == (8, True)


@pytest.mark.parametrize("answer", [BUSY, (401, STANDBY[1])], ids=["a busy leader", "somebody else's words"])
def test_what_another_connection_would_not_mend_is_not_asked_again_at_once(
    tmp_path: Path, answer: tuple[int, str]
) -> None:
    told, connections = posted(tmp_path, [answer])
    assert (connections, told.startswith(str(answer[0]))) == (1, True)
