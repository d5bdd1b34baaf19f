"""How do tests run one runtime? The real process in a folder of its own, and a keeper that does what a test says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

from dormouse.pod import Marker, boot_id, write_marker

EPOCH = 3
POD_UID = "pod-1"


class FakeKeeper:
    """Speaks version 1 of the keeper's protocol, over the real socket."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.store = asyncio.Event()
        self.store.set()
        self.asked: list[str] = []
        self.barriers = 0
        self.all_in_store = False
        self.wants_status = False
        self.told: list[dict[str, Any]] = []
        self.refuses_status = False
        self.owns = True
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.seals: list[str] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        folder = os.open(path.parent, os.O_PATH)
        try:
            self._server = await asyncio.start_unix_server(self._serve, f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.vanish()
        if self._server is not None:
            self._server.close()

    def vanish(self) -> None:
        for writer in self._writers:
            writer.close()

    def freeze(self) -> None:
        """Answer no question of ownership any more."""
        self._thawed.clear()

    def thaw(self) -> None:
        self.owns = True
        self._thawed.set()

    def fence(self) -> None:
        for writer in self._writers:
            writer.write(b'{"event":"fenced","message":"epoch 4 is current"}\n')

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while data := await reader.readline():
            task = asyncio.create_task(self._answer(json.loads(data), writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.asked.append(request["op"])
        answer: dict[str, Any] = {"id": request["id"], "ok": True}
        if request["op"] == "gate":
            await self.gate.wait()
            answer |= {"epoch": EPOCH, "identity": "identity-1", "restoredFrom": None}
            answer |= {"allInStore": self.all_in_store, "wantsStatus": self.wants_status, "provesOwnership": True}
        elif request["op"] == "barrier":
            await self.store.wait()
            self.barriers += 1
            answer["position"] = f"{EPOCH}/{self.barriers}"
        elif request["op"] == "ownership":
            await self._thawed.wait()
            if self.owns:
                answer |= {"epoch": EPOCH, "secondsAgo": 0.0}
            else:
                answer |= {"ok": False, "error": "OwnershipUnproven", "message": "the store does not answer"}
        elif request["op"] == "status":
            self.told.append(request["status"])
            if self.refuses_status:
                answer |= {"ok": False, "error": "BadRequest", "message": "of another version"}
        elif request["op"] == "drill":
            answer |= {"ok": False, "error": "NotDrilled", "message": "no copy here"}
        else:
            self.seals.append(request["reason"])
            answer["position"] = f"{EPOCH}/99"
        writer.write(json.dumps(answer).encode() + b"\n")


class RuntimePod:
    """A folder with marker and database, and the process that runs in it.

    Attributes:
        runs: what Python is told to run.
    """

    runs: tuple[str, ...] = ("-m", "dormouse.runtime")

    def __init__(self, folder: Path, module: str, **environment: str) -> None:
        self.folder = folder
        self.database = folder / "db.sqlite"
        self.source = folder / "source"
        self.source.mkdir(exist_ok=True)
        self.rewrite(module)
        write_marker(folder / "marker.json", Marker(POD_UID, EPOCH, boot_id()))
        connection = sqlite3.connect(self.database)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS dormouse_meta (key TEXT PRIMARY KEY, value TEXT)")
        connection.close()
        self.keeper = FakeKeeper()
        self.log = folder / "termination"
        self.output = folder / "output"
        self._environment = environment
        self.process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.keeper.start(self.folder / "run" / "keeper.sock")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self.keeper.stop()

    def rewrite(self, module: str) -> None:
        (self.source / "user.py").write_text(module)

    async def start(self, **environment: str) -> None:
        self.port = _free_port()
        with self.output.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.runs,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._settings(), **self._environment, **environment},
            )

    def _settings(self) -> dict[str, str]:
        return {
            "DORMOUSE_NAME": "test",
            "DORMOUSE_NAMESPACE": "default",
            "DORMOUSE_WORKFLOW_UID": "dwf-1",
            "DORMOUSE_POD_UID": POD_UID,
            "DORMOUSE_EPOCH": str(EPOCH),
            "DORMOUSE_DIRECTORY": str(self.folder),
            "DORMOUSE_TERMINATION_LOG": str(self.log),
            "DORMOUSE_HOST": "127.0.0.1",
            "DORMOUSE_PORT": str(self.port),
            "DORMOUSE_ENTRYPOINT": "user",
            "DORMOUSE_SOURCE": str(self.source),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def ended(self) -> tuple[int, dict[str, Any]]:
        """Exit code and termination message."""
        assert self.process is not None
        code = await asyncio.wait_for(self.process.wait(), 60)
        return code, json.loads(self.log.read_bytes()) if self.log.exists() else {}

    async def ready(self) -> None:
        await self.until(self._is_ready)

    async def _is_ready(self) -> bool:
        try:
            return (await self.get("/readyz"))[0] == 200
        except ConnectionRefusedError:
            return False

    async def is_healthy(self) -> bool:
        """Whether it listens, and finds nothing wrong with itself; the gate may still be closed."""
        try:
            return (await self.get("/healthz"))[0] == 200
        except ConnectionRefusedError:
            return False

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that a test knows will come."""
        async with asyncio.timeout(60):
            while not await holds():
                await asyncio.sleep(0.02)

    async def get(self, path: str) -> tuple[int, Any]:
        return await self.request("GET", path)

    async def post(self, document: object, **headers: str) -> tuple[int, Any]:
        return await self.request("POST", "/v1/executions", json.dumps(document).encode(), **headers)

    async def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        status, _, answer = await self.raw(method, path, body, **headers)
        return status, json.loads(answer)

    async def raw(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, bytes]:
        lines = [f"{method} {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        async with self.connected() as (reader, writer):
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head, _, answer = (await asyncio.wait_for(reader.read(), 60)).partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode(), answer

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to the runtime's HTTP port."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
