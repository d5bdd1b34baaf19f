"""What does a test need to run one real keeper? A folder for its volume, its process, and a client."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from minio_server import S3Server
from obstore.store import S3Store

from dormouse.keeper.client import KeeperClient
from dormouse.replica.current import Current, decode
from dormouse.replica.layout import Layout
from dormouse.replica.s3 import S3, Location
from dormouse.replica.store import StoredObject

ON_EACH_STORE = pytest.mark.parametrize("workflow", ["seaweedfs", "minio"], indirect=True)
"""For a fixture `workflow` that takes the name of a server as its parameter."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Workflow:
    """One workflow of a test, alone under its prefix."""

    server: S3Server
    folder: Path
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    prefix: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")
    name: str = "sleeper"
    pods: list[KeeperPod] = field(default_factory=list)

    @property
    def location(self) -> Location:
        return Location(
            bucket=self.server.bucket,
            endpoint=self.server.endpoint,
            region=self.server.region,
            access_key_id=self.server.access_key,
            secret_access_key=self.server.secret_key,
        )

    @property
    def store(self) -> S3:
        return S3(self.location)

    @property
    def raw_store(self) -> S3Store:
        location = self.location
        return S3Store(
            location.bucket,
            endpoint=location.endpoint,
            region=location.region,
            access_key_id=location.access_key_id,
            secret_access_key=location.secret_access_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    @property
    def layout(self) -> Layout:
        return Layout.of(self.prefix, "default", self.name)

    async def current(self) -> Current:
        found = await self.store.get(self.layout.current)
        assert isinstance(found, StoredObject)
        return decode(found.data)

    def pod(self, epoch: int, **variables: str) -> KeeperPod:
        self.pods.append(KeeperPod(self, epoch, variables))
        return self.pods[-1]

    def beside(self, name: str) -> Workflow:
        """Another workflow in the same store."""
        return replace(self, uid=str(uuid.uuid4()), name=name)


@dataclass
class KeeperPod:
    """One pod's keeper. `start` may be called again, as a kubelet does with the same volume."""

    workflow: Workflow
    epoch: int
    variables: dict[str, str]
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    process: asyncio.subprocess.Process | None = None
    client: KeeperClient | None = None
    wrapper: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.workflow.folder / f"{self.epoch}-{self.uid[:8]}"

    @property
    def volume(self) -> Path:
        return self.folder / "data"

    @property
    def database(self) -> Path:
        return self.volume / "db.sqlite"

    def environment(self) -> dict[str, str]:
        location = self.workflow.location
        return {
            "PATH": os.environ["PATH"],
            "DORMOUSE_NAME": self.workflow.name,
            "DORMOUSE_NAMESPACE": "default",
            "DORMOUSE_WORKFLOW_UID": self.workflow.uid,
            "DORMOUSE_POD_UID": self.uid,
            "DORMOUSE_EPOCH": str(self.epoch),
            "DORMOUSE_DIRECTORY": str(self.volume),
            "DORMOUSE_TERMINATION_LOG": str(self.folder / "termination"),
            "DORMOUSE_HOST": "127.0.0.1",
            "DORMOUSE_PORT": str(free_port()),
            "DORMOUSE_STORE_ENDPOINT": location.endpoint,
            "DORMOUSE_STORE_BUCKET": location.bucket,
            "DORMOUSE_STORE_PREFIX": self.workflow.prefix,
            "DORMOUSE_STORE_ACCESS_KEY_ID": location.access_key_id,
            "DORMOUSE_STORE_SECRET_ACCESS_KEY": location.secret_access_key,
            "DORMOUSE_FIRST_CLAIM": "true" if self.epoch == 1 else "false",
            "DORMOUSE_GRACE_SECONDS": "10",
            **self.variables,
        }

    async def start(self) -> KeeperPod:
        self.volume.mkdir(parents=True, exist_ok=True)
        (self.folder / "termination").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.wrapper, sys.executable, "-m", "dormouse.keeper", env=self.environment(), stdout=log, stderr=log
            )
        return self

    async def open(self) -> KeeperPod:
        """Start, and pass the gate."""
        await self.start()
        await self.connect()
        async with asyncio.timeout(60):
            assert self.client is not None
            await self.client.gate()
        return self

    async def connect(self) -> KeeperClient:
        async with asyncio.timeout(60):
            while not (self.volume / "run" / "keeper.sock").exists():
                await asyncio.sleep(0.01)
            self.client = await KeeperClient.connect(self.volume / "run" / "keeper.sock")
        return self.client

    @property
    def keeper(self) -> KeeperClient:
        assert self.client is not None
        return self.client

    def write(self, text: str) -> None:
        """Commit one row, as a runtime does."""
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=5)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("CREATE TABLE IF NOT EXISTS note (text TEXT)")
            connection.execute("INSERT INTO note VALUES (?)", (text,))

    def notes(self) -> list[str]:
        with closing(sqlite3.connect(self.database, timeout=5)) as connection:
            return [row[0] for row in connection.execute("SELECT text FROM note ORDER BY rowid")]

    async def logged(self, text: str) -> None:
        """Wait until the keeper or its Litestream has said this."""
        async with asyncio.timeout(60):
            while text not in (self.folder / "log").read_text().lower():
                await asyncio.sleep(0.02)

    async def wait(self) -> int:
        assert self.process is not None
        async with asyncio.timeout(60):
            return await self.process.wait()

    async def kill(self) -> None:
        """What a node does that loses its power; the child goes with it."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.wait()
        if self.client is not None:
            await self.client.close()

    async def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await self.wait()

    def lose_volume(self) -> None:
        shutil.rmtree(self.volume)

    def farewell(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "termination").read_bytes())
        return found

    async def refusal(self) -> dict[str, Any]:
        """Start, and see it refused."""
        await self.start()
        code = await self.wait()
        assert code == 1, f"exit code {code}: {(self.folder / 'log').read_text()}"
        return self.farewell()


def run(test: Callable[[Workflow], Awaitable[None]], workflow: Workflow) -> None:
    """Run a test's coroutine and end every keeper that it left."""

    async def body() -> None:
        try:
            await test(workflow)
        finally:
            for pod in workflow.pods:
                if pod.process is not None:
                    if pod.process.returncode is None:
                        os.kill(pod.process.pid, signal.SIGCONT)
                    await pod.kill()

    asyncio.run(body())
