"""Does a question to Litestream get its own answer, on as few connections as can be?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dormouse.keeper.control_socket import ControlSocket

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def answered(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


async def echo(asked: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(answered(asked))


class Listening:
    """A server on a socket that speaks like Litestream's; `answer` may be replaced."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "litestream.sock"
        self.answer: Answer = echo
        self.connections = 0

    async def __aenter__(self) -> ControlSocket:
        self._server = await asyncio.start_unix_server(self._converse, self.path)
        self._control = ControlSocket(self.path)
        return self._control

    async def __aexit__(self, *_: object) -> None:
        self._control.close()
        self._server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r")[0]))
                await self.answer(asked, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the end of the test: Python 3.11 reports a cancelled callback as an error of its own
        finally:
            writer.close()


async def ask(control: ControlSocket, number: int) -> int:
    status, content = await control.post("/sync", {"number": number})
    assert status == 200
    return int(json.loads(content)["number"])


def test_questions_one_after_the_other_share_a_connection(tmp_path: Path) -> None:
    async def main() -> None:
        listening = Listening(tmp_path)
        async with listening as control:
            assert [await ask(control, number) for number in range(5)] == list(range(5))
        assert listening.connections == 1

    asyncio.run(main())


def test_questions_at_the_same_time_get_their_own_answers(tmp_path: Path) -> None:
    async def main() -> None:
        listening = Listening(tmp_path)
        async with listening as control:
            assert await asyncio.gather(*(ask(control, number) for number in range(5))) == list(range(5))
            assert await ask(control, 7) == 7
        assert listening.connections == 5

    asyncio.run(main())


def test_who_asks_after_somebody_was_cancelled_does_not_get_the_answer_to_that(tmp_path: Path) -> None:
    async def main() -> None:
        listening = Listening(tmp_path)
        has_asked, goes_on = asyncio.Event(), asyncio.Event()

        async def late(asked: bytes, writer: asyncio.StreamWriter) -> None:
            has_asked.set()
            await goes_on.wait()
            await echo(asked, writer)

        listening.answer = late
        async with listening as control:
            cancelled = asyncio.create_task(ask(control, 1))
            await has_asked.wait()
            cancelled.cancel()
            await asyncio.wait({cancelled})
            goes_on.set()
            assert await ask(control, 2) == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EOFError),
        (b"HTTP/1.1 200 OK\r\nContent-Len", EOFError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", EOFError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", ValueError),
        (b"HTTP/1.1 fine\r\nContent-Length: 0\r\n\r\n", ValueError),
    ],
    ids=["nothing", "half a head", "half a body", "no length", "no status"],
)
def test_what_is_no_answer_is_an_error_and_the_next_question_is_asked_anew(
    tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    async def main() -> None:
        listening = Listening(tmp_path)

        async def breaks_off(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(content)
            writer.close()

        async with listening as control:
            assert await ask(control, 1) == 1
            listening.answer = breaks_off
            with pytest.raises(error):
                await ask(control, 2)
            listening.answer = echo
            assert await ask(control, 3) == 3
        assert listening.connections == 2

    asyncio.run(main())


def test_where_nobody_listens_that_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        asyncio.run(ask(ControlSocket(tmp_path / "litestream.sock"), 1))
