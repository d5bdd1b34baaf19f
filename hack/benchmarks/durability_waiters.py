"""When does each of many waiters hear of a barrier? Asked over plain sockets: the keeper is measured, not we.

The requests are made before the commit, and answers are counted, not read: that costs less than a millisecond, where a
thousand tasks of asyncio in one process cost more than ten.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from dormouse.keeper.wire import VERSION, line, short_path

_CONNECTIONS = 10
_WITHIN_SECONDS = 120.0


def ask(path: Path, waiters: int, commit: Callable[[], None]) -> Sequence[float]:
    """From before a commit to the answer that each waiter has, in seconds; they share ten connections."""
    with ExitStack() as opened:
        count = min(waiters, _CONNECTIONS)
        connections = [opened.enter_context(_connect(path)) for _ in range(count)]
        shares = [range(first, waiters, count) for first in range(count)]
        requests = [b"".join(line({"v": VERSION, "id": n, "op": "barrier"}) for n in share) for share in shares]
        selector = opened.enter_context(selectors.DefaultSelector())
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        started = time.perf_counter()
        commit()
        for connection, request in zip(connections, requests, strict=True):
            connection.sendall(request)
        heard: list[float] = []
        while len(heard) < waiters:
            ready = selector.select(_WITHIN_SECONDS)
            if not ready:
                raise TimeoutError(f"{len(heard)} of {waiters} waiters were answered")
            for key, _ in ready:
                heard += [time.perf_counter() - started] * key.fileobj.recv(1 << 16).count(b"\n")  # type: ignore[union-attr]
        return heard


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    with short_path(path) as name:
        connection.connect(name)
    return connection
