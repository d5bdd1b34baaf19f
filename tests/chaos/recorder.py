"""What was acknowledged? Written down outside of the pods: attempts as they are told, starts as they are answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from history import Attempt
from verdict import Register, Started

_ANSWER_SECONDS = 2.0


def _nobody(_attempt: Attempt) -> None: ...


class Recorder:
    """The register of one round. `heard` hears of each attempt before the one who makes it goes on."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.heard: Callable[[Attempt], None] = _nobody
        self._attempts: dict[int, list[Attempt]] = defaultdict(list)
        self._started: list[Started] = []

    @property
    def register(self) -> Register:
        return Register(self._attempts, self._started)

    @property
    def attempts(self) -> int:
        return sum(map(len, self._attempts.values()))

    def attempts_of(self, epoch: int) -> int:
        return sum(each.epoch == epoch for tries in self._attempts.values() for each in tries)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._serve, self.socket)
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            told = json.loads(await reader.readline())
            attempt = Attempt(told["at_ns"], told["step"], told["epoch"], told["given"], told["gives"])
            self._attempts[told["chain"]].append(attempt)
            self.heard(attempt)
            writer.write(b"written\n")
        except (OSError, ValueError):
            return  # killed in the middle of the line: nothing was attempted
        finally:
            writer.close()

    async def start(self, client: str, name: str, port: int, epoch: int) -> bool:
        """Ask the pod at a port to start an execution; what it answers with success goes into the register."""
        with suppress(OSError, EOFError, ValueError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                status = await _post(port, {"workflow": "mark", "input": 1, "id": name})
            if status in (200, 201):
                self._started.append(Started(client, name, epoch, time.monotonic_ns()))
                return True
        return False


async def _post(port: int, document: dict[str, object]) -> int:
    body = json.dumps(document).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"POST /v1/executions HTTP/1.1\r\nHost: pod\r\nConnection: close\r\nContent-Type: application/json\r\n"
            b"Idempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s" % (str(document["id"]).encode(), len(body), body)
        )
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1])
    except IndexError:
        raise EOFError("no answer") from None
    finally:
        writer.close()
