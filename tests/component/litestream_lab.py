"""What does a test need to ask plain Litestream? A database, a prefix, its process and its socket; nothing of ours."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import obstore
from minio_server import S3Server

from dormouse.keeper.litestream import Synced, program

WITHIN_SECONDS = 40.0


@dataclass
class Lab:
    """One volume with a database, replicated to one prefix. `endpoint` may be a proxy's."""

    folder: Path
    server: S3Server
    endpoint: str = ""
    prefix: str = field(default_factory=lambda: f"facts-{uuid.uuid4().hex[:8]}")

    @property
    def database(self) -> Path:
        return self.folder / "db.sqlite"

    def moved_to(self, folder: Path, prefix: str | None = None) -> Lab:
        """Another volume: with the same prefix, unless another one is named."""
        folder.mkdir(parents=True, exist_ok=True)
        return Lab(folder, self.server, self.endpoint, prefix or self.prefix)

    def configure(
        self, *, auto_recover: bool = False, shutdown_sync_timeout: str = "30s", monitor_interval: str = "10ms"
    ) -> Path:
        """Litestream's configuration: fast, and otherwise with its defaults but for what is given."""
        place: dict[str, Any] = {
            "type": "s3",
            "bucket": self.server.bucket,
            "path": self.prefix,
            "region": self.server.region,
        }
        place |= {"endpoint": self.endpoint or self.server.endpoint, "force-path-style": True, "sync-interval": "10ms"}
        place["auto-recover"] = auto_recover
        document = {
            "socket": {"enabled": True, "path": str(self.folder / "ls.sock")},
            "logging": {"level": "debug", "type": "json", "stderr": True},
            "dbs": [{"path": str(self.database), "monitor-interval": monitor_interval, "replica": place}],
            "shutdown-sync-timeout": shutdown_sync_timeout,
        }
        path = self.folder / "litestream.json"
        path.write_text(json.dumps(document))
        return path

    def environment(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": self.server.access_key, "AWS_SECRET_ACCESS_KEY": self.server.secret_key}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **keys}

    @contextmanager
    def replicating(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        auto_recover: bool = False,
        shutdown_sync_timeout: str = "30s",
        monitor_interval: str = "10ms",
    ) -> Iterator[Running]:
        """A running `litestream replicate`, its socket answering; killed at the end if it still runs."""
        config = self.configure(
            auto_recover=auto_recover, shutdown_sync_timeout=shutdown_sync_timeout, monitor_interval=monitor_interval
        )
        (self.folder / "ls.sock").unlink(missing_ok=True)
        command = [program(), "replicate", "-no-expand-env", "-config", str(config)]
        with (self.folder / "litestream.log").open("ab") as log:
            process = subprocess.Popen(command, env=environment or self.environment(), stdout=log, stderr=log)
        try:
            running = Running(self, process)
            until(lambda: running.listed() is not None or process.poll() is not None)
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def replicate_once(self) -> int:
        command = [program(), "replicate", "-once", "-no-expand-env", "-config", str(self.configure())]
        with (self.folder / "litestream.log").open("ab") as log:
            return subprocess.run(
                command, env=self.environment(), stdout=log, stderr=log, timeout=WITHIN_SECONDS, check=False
            ).returncode

    def restore(self, *arguments: str, seconds: float = WITHIN_SECONDS) -> Restored:
        """Restore the prefix into a new file, checked in full."""
        target = self.folder / f"restored-{uuid.uuid4().hex[:6]}.sqlite"
        command = [program(), "restore", "-no-expand-env", "-config", str(self.configure()), "-o", str(target)]
        ran = subprocess.run(
            [*command, "-integrity-check", "full", *arguments, str(self.database)],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Restored(ran.returncode, ran.stdout + ran.stderr, rows_of(target) if target.exists() else None)

    def write(self, *rows: str) -> None:
        """One commit for each row."""
        with closing(connected(self.database)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS note (text TEXT)")
            for row in rows:
                connection.execute("INSERT INTO note VALUES (?)", (row,))

    def objects(self, level: int | None = None) -> dict[str, int]:
        """The keys below the prefix, or of one level, with their sizes."""
        below = self.prefix if level is None else f"{self.prefix}/{level:04x}"
        found = [item for page in obstore.list(self.server.client(), below) for item in page]
        return {item["path"].removeprefix(f"{self.prefix}/"): item["size"] for item in found}

    def log(self) -> str:
        return (self.folder / "litestream.log").read_text()


@dataclass(frozen=True)
class Restored:
    code: int
    output: str
    rows: list[str] | None


@dataclass
class Running:
    """A `litestream replicate` and its control socket."""

    lab: Lab
    process: subprocess.Popen[bytes]

    def sync(self) -> Synced:
        """Both positions, without waiting for either; asked again while it says that it cannot tell."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            status, body = self._ask("POST", "/sync", {"path": str(self.lab.database)})
            if status == 200:
                return Synced(body["txid"], body["replicated_txid"])
            assert time.monotonic() < deadline, body
            time.sleep(0.01)

    def replicated(self) -> int:
        """Wait safely until everything committed so far is in the store; the position."""
        wanted = self.sync().txid
        until(lambda: self.sync().replicated_txid >= wanted)
        return wanted

    def listed(self) -> dict[str, Any] | None:
        """What it says of the database; None while the socket does not answer."""
        try:
            _, body = self._ask("GET", "/list", None)
        except (OSError, EOFError, IndexError):
            return None
        return next(iter(body["databases"]), None)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_SECONDS)

    def _ask(self, method: str, path: str, message: dict[str, object] | None) -> tuple[int, dict[str, Any]]:
        return asyncio.run(_ask(self.lab.folder / "ls.sock", method, path, message))


async def _ask(socket: Path, method: str, path: str, message: dict[str, object] | None) -> tuple[int, dict[str, Any]]:
    body = b"" if message is None else json.dumps(message).encode()
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        head = f"{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        head_bytes, _, content = (await asyncio.wait_for(reader.read(), WITHIN_SECONDS)).partition(b"\r\n\r\n")
        return int(head_bytes.split(b" ", 2)[1]), json.loads(content or b"{}")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def connected(database: Path, *, autocheckpoint: int = 0) -> sqlite3.Connection:
    """A connection as every one has to be that shares a file with Litestream."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=5)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={autocheckpoint}")
    return connection


def rows_of(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM note ORDER BY rowid")]


def until(holds: Callable[[], object]) -> None:
    """Wait for something that is known to come."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
