"""Does a page leave at once? Its head and its body are two writes, and the second must not wait for an answer."""

from __future__ import annotations

import asyncio
import socket

from dormouse_observer.web.serving import HOST, listening


async def does_not_wait(listener: socket.socket) -> bool:
    """Whether a connection that asyncio takes from it sends small pieces at once."""
    taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        taken.set_result(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    async with await asyncio.start_server(answer, sock=listener):
        _, writer = await asyncio.open_connection(HOST, listener.getsockname()[1])
        found = await taken
        writer.close()
        await writer.wait_closed()
    return found


def test_a_connection_of_a_browser_sends_small_pieces_at_once() -> None:
    assert asyncio.run(does_not_wait(listening(0)))
