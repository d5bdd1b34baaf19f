"""Who may ask the keeper what? The Unix socket for the runtime, and the probes' HTTP port."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from dormouse.keeper.client import AlreadySealed, Fenced, NotDrilled, NotSafeYet, OwnershipUnproven, SealFailed
from dormouse.keeper.wire import VERSION, answers, line, short_path
from dormouse.probes import NOT_FOUND, OK, UNAVAILABLE, Page, serve_probes

_log = logging.getLogger("dormouse.keeper")
_UNANSWERED_AT_ONCE = 4096
"""Of one connection; until some are answered no more are read from it."""


class Served(Protocol):
    """What the service is a face of."""

    async def gate(self) -> dict[str, Any]: ...
    async def barrier(self, timeout_seconds: float | None) -> dict[str, Any]: ...
    async def prove(self, within_seconds: float) -> dict[str, Any]: ...
    async def take_status(self, status: dict[str, Any]) -> dict[str, Any]: ...
    async def drill(self) -> dict[str, Any]: ...
    async def seal(self, reason: str, next_wake_at: str | None) -> dict[str, Any]: ...
    def ready(self) -> tuple[bool, str]: ...
    def status(self) -> dict[str, Any]: ...
    async def scraped(self) -> str: ...


# Python 3.13 would remove the socket at the end by the short name, which is gone by then.
_LEFT_IN_PLACE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class Service:
    """The two listeners."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._writers: set[asyncio.StreamWriter] = set()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> None:
        """Answer on the Unix socket; one that an earlier keeper left is replaced."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with short_path(path) as name:
            self._servers.append(await asyncio.start_unix_server(self._converse, name, **_LEFT_IN_PLACE))

    async def listen_http(self, host: str, port: int) -> None:
        """Answer the kubelet's probes, and scrapes."""
        self._servers.append(await serve_probes(host, port, self._page))

    async def say_fenced(self, message: str) -> None:
        """Tell every runtime to stop."""
        for writer in self._writers:
            writer.write(line({"event": "fenced", "message": message}))
        await asyncio.gather(*(writer.drain() for writer in self._writers), return_exceptions=True)

    async def close(self) -> None:
        """Stop listening and hang up."""
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        own = asyncio.current_task()
        assert own is not None  # noqa: S101 - a server's callback is a task
        self._tasks.add(own)
        try:
            await _Conversation(self._served, writer, self._tasks).read(reader)
        except (OSError, ValueError) as error:
            _log.warning("socket: %s", error)
        except asyncio.CancelledError:
            # Python 3.11 reports a cancelled connection callback as an error of its own; this is only the end.
            return
        finally:
            self._writers.discard(writer)
            self._tasks.discard(own)
            writer.close()

    async def _page(self, path: str) -> Page:
        match path:
            case "/healthz":
                return OK, {"healthy": True}
            case "/readyz":
                ready, why = self._served.ready()
                return (OK if ready else UNAVAILABLE), {"ready": ready, "reason": why}
            case "/status":
                return OK, self._served.status()
            case "/metrics":
                return OK, await self._served.scraped()
            case _:
                return NOT_FOUND, {"error": "there are /healthz, /readyz, /status and /metrics"}


Operation = Callable[[], Awaitable[dict[str, Any]]]


class _Conversation:
    """One connection. The barriers that it asks for in one go are one question, and their answers one write."""

    def __init__(self, served: Served, writer: asyncio.StreamWriter, tasks: set[asyncio.Task[None]]) -> None:
        self._served = served
        self._writer = writer
        self._tasks = tasks
        self._room = asyncio.Semaphore(_UNANSWERED_AT_ONCE)
        self._barriers: dict[float | None, list[object]] = {}
        """The requests that a barrier will answer which has not begun, by how long they want to wait."""

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Begin with what is asked, until nothing more is."""
        while data := await reader.readline():
            await self._room.acquire()
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        number: object = None
        try:
            request = json.loads(data)
            number = request["id"]
            if request.get("v") != VERSION:
                raise ValueError(f"version {request.get('v')!r} is not spoken here, {VERSION} is")
            if request["op"] == "barrier":
                self._begin_barrier(number, _seconds(request, "timeout", None))
            else:
                self._start([number], self._operation(request))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self._reply([number], _bad_request(error))

    def _begin_barrier(self, number: object, timeout: float | None) -> None:
        if timeout in self._barriers:
            self._barriers[timeout].append(number)
            return

        def barrier() -> Awaitable[dict[str, Any]]:
            del self._barriers[timeout]  # who asks from now on may have committed later
            return self._served.barrier(timeout)

        self._barriers[timeout] = [number]
        self._start(self._barriers[timeout], barrier)

    def _start(self, numbers: list[object], operation: Operation) -> None:
        task = asyncio.create_task(self._answer(numbers, operation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, numbers: list[object], operation: Operation) -> None:
        try:
            answer = {"ok": True, **await operation()}
        except (Fenced, SealFailed, NotDrilled, NotSafeYet, OwnershipUnproven) as error:
            answer = {"ok": False, "error": type(error).__name__, "message": str(error)}
        except AlreadySealed as error:
            answer = {"ok": False, "error": "Sealed", "message": str(error)}
            answer |= {"reason": error.reason, "position": error.position}
        except (ValueError, KeyError, TypeError) as error:
            answer = _bad_request(error)
        except Exception as error:  # noqa: BLE001 - an unanswered request would hang the runtime
            _log.exception("socket: unforeseen")
            answer = {"ok": False, "error": "Failed", "message": f"{type(error).__name__}: {error}"}
        self._reply(numbers, answer)

    def _reply(self, numbers: Sequence[object], answer: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(answers(numbers, answer))
        for _ in numbers:
            self._room.release()

    def _operation(self, request: dict[str, Any]) -> Operation:
        match request["op"]:
            case "gate":
                return self._served.gate
            case "ownership":
                within = _seconds(request, "within", 0.0) or 0.0
                return lambda: self._served.prove(within)
            case "status":
                return lambda: self._served.take_status(request["status"])
            case "drill":
                return self._served.drill
            case "seal":
                return lambda: self._served.seal(request["reason"], request.get("nextWakeAt"))
            case other:
                raise ValueError(
                    f"unknown operation {other!r}; there are gate, barrier, ownership, status, drill and seal"
                )


def _bad_request(error: Exception) -> dict[str, Any]:
    return {"ok": False, "error": "BadRequest", "message": f"{type(error).__name__}: {error}"}


def _seconds(request: dict[str, Any], name: str, absent: float | None) -> float | None:
    value = request.get(name, absent)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0):
        raise ValueError(f"{name} must be a number of seconds, 0 or more, not {value!r}")
    return value
