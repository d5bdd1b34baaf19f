"""How is Litestream asked? Over its control socket, by HTTP, on a connection that stays open.

To open one for each question takes as long as the answer, and a barrier asks several times.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from dormouse.keeper.wire import short_path

_LENGTH = re.compile(rb"^content-length: *(\d+)\r$", re.IGNORECASE | re.MULTILINE)


class ControlSocket:
    """Litestream's socket at `path`, which may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, message: dict[str, Any]) -> tuple[int, bytes]:
        """Ask one question; the status and the body of the answer.

        Raises:
            OSError, EOFError: when nobody answers; the next question begins on a new connection.
            ValueError: when it is no answer that Litestream gives.
        """
        body = json.dumps(message).encode()
        head = b"POST %s HTTP/1.1\r\nHost: litestream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        taken, self._free = self._free, None
        reader, writer = taken or await self._connect()
        try:
            writer.write(head % (path.encode(), len(body)) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(answer)
            if length is None:
                raise ValueError(f"an answer without a length: {answer!r}")
            content = await reader.readexactly(int(length[1]))
            status = int(answer.split(b" ", 2)[1])
        except BaseException:
            writer.close()  # the rest of this answer would be taken for that to the next question
            raise
        self.close()
        self._free = reader, writer
        return status, content

    def close(self) -> None:
        """Hang up; the next question begins on a new connection."""
        if self._free is not None:
            self._free[1].close()
            self._free = None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with short_path(self._path) as name:
            return await asyncio.open_unix_connection(name)
