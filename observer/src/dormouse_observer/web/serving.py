"""How do the pages come to a browser? A server of this machine alone, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable

import uvicorn

from dormouse.errors import DormouseError
from dormouse_observer.web.app import Pages
from dormouse_observer.web.library import Library
from dormouse_observer.web.prices import PriceList

HOST = "127.0.0.1"


class CannotListen(DormouseError):
    """The port is taken, or not allowed."""


def listening(port: int) -> socket.socket:
    """A socket of this machine alone; port 0 is any that is free.

    Raises:
        CannotListen: naming the port.
    """
    # Only of a socket that says TCP asyncio knows that it may send at once: a page came 40 ms late without.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen on {HOST}:{port}: {error.strerror}; choose another --port") from error
    return listener


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, pages: Pages) -> None:
        super().__init__(config)
        self._pages = pages

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """It waits for the answers that are under way, and those of browsers that follow a file never end."""
        self._pages.end()
        await super().shutdown(sockets)


def serve(
    library: Library, listener: socket.socket, ready: Callable[[], None], prices: PriceList | None = None
) -> None:
    """Answer until SIGINT or SIGTERM; `ready` is called once a browser would be answered."""
    pages = Pages(library, prices)
    config = uvicorn.Config(
        pages.app(),
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    signal.signal(signal.SIGTERM, _interrupt)  # uvicorn raises anew what ended it
    ready()  # the socket listens already: who comes before the loop runs waits for it
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config, pages).run(sockets=[listener])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
