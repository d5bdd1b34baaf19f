"""What does a server on the loopback answer to a GET? A few lines, since an HTTP client takes long to import."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dormouse_operator.dev.ports import LOOPBACK

_LONGEST_BODY_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """A response with a body that is not encoded in any way."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        """As a readiness probe counts it."""
        return 200 <= self.status < 400


async def get(port: int, path: str, timeout_seconds: float) -> Answer | None:
    """The answer, or None when there is none in time."""
    request = f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(request.encode())
                received = await reader.read(_LONGEST_BODY_BYTES)
                while len(received) < _LONGEST_BODY_BYTES and (more := await reader.read(_LONGEST_BODY_BYTES)):
                    received += more
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return None
    return Answer(int(words[1]), body)
