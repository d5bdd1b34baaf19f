"""How are the kubelet's probes answered? With as much HTTP as they speak."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

_log = logging.getLogger("dormouse.probes")
Page = tuple[bytes, dict[str, Any] | str]
"""A status line, and a document of JSON or the numbers for Prometheus."""
_METRICS = b"text/plain; version=0.0.4; charset=utf-8"
OK, UNAVAILABLE, NOT_FOUND = b"200 OK", b"503 Service Unavailable", b"404 Not Found"


async def serve_probes(host: str, port: int, page: Callable[[str], Awaitable[Page]]) -> asyncio.Server:
    """Answer GETs with what `page` says of their path: a status, and a document."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
            status, body = await page(head.split(b" ", 2)[1].decode("ascii", "replace"))
            kind = _METRICS if isinstance(body, str) else b"application/json"
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            writer.write(
                b"HTTP/1.0 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (status, kind, len(content), content)
            )
            await writer.drain()
        except (OSError, EOFError, IndexError, TimeoutError, asyncio.LimitOverrunError) as error:
            _log.debug("probe: %s", error)
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port)
