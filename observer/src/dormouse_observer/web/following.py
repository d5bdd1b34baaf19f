"""When is a page to be looked at anew? A stream of server-sent events, one for each change of a file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

EVERY_SECONDS = 0.5
"""A file system tells nobody that a file has grown, so it is asked; that is a `stat` of two files."""


async def changes(look: Callable[[], str], seen: str, ended: asyncio.Event) -> AsyncIterator[bytes]:
    """Events for a browser's EventSource, until the server ends.

    Args:
        look: says how the file looks now.
        seen: how it looked to whom is told.
        ended: set when the server ends.
    """
    yield b"retry: 1000\n\n"
    while not ended.is_set():
        now = look()
        if now != seen:
            seen = now
            yield f"event: change\ndata: {now}\n\n".encode()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await ended.wait()
