"""How is a real S3 server run on this machine? SeaweedFS as one child process, its data in one folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dormouse.extras import installed_by
from dormouse_operator.dev.ports import LOOPBACK, free_ports, is_free

if TYPE_CHECKING:
    from obstore.store import S3Store

_READY_WITHIN_SECONDS = 60.0
_ATTEMPTS = 3
# A line of glog's level Fatal, which says why the server ended. A stack of some fifty lines comes after it.
_FATAL = re.compile(r"^F\d{4} [\d:.]+ +(?P<why>.+)$", re.MULTILINE)
# Where it makes Unix sockets, which it leaves behind. A path of our own can be chosen for two of the six only.
_SOCKETS = Path("/tmp")  # noqa: S108 - SeaweedFS's choice
# All of them explicit: a port that SeaweedFS derives from another one may be taken.
_INNER_PORTS = (
    *("master.port", "master.port.grpc"),
    *("volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc"),
    "s3.port.grpc",
)


class StoreError(Exception):
    """The local S3 server cannot run; the message says why and what to do."""


@dataclass(frozen=True)
class Credentials:
    """The one identity that the local server knows."""

    access_key: str
    secret_key: str


class SeaweedFS:
    """One SeaweedFS on the loopback. What is stored outlives `stop`, and the process that called `start`."""

    region = "us-east-1"

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        bucket: str = "dormouse",
        auto_create_buckets: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Nothing runs before `start`. The port is a free one unless it is given."""
        self.directory = directory.absolute()
        self.bucket = bucket
        self.port = port if port is not None else free_ports(1)[0]
        self._port_is_given = port is not None
        self._added_environment = environment
        self._auto_create_buckets = auto_create_buckets
        self._inner_ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._credentials: Credentials | None = None

    @property
    def endpoint(self) -> str:
        """Where S3 clients connect."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def access_key(self) -> str:
        """The access key id; made once a folder."""
        return self._identity().access_key

    @property
    def secret_key(self) -> str:
        """The secret access key; made once a folder."""
        return self._identity().secret_key

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Run the server and return once it has taken a PUT; raises StoreError when it cannot."""
        for attempt in range(_ATTEMPTS):
            self.launch()
            serves = False
            try:
                self.wait_until_ready()
                serves = True
            except StoreError as failed:
                # A port that was free a moment ago may be taken by now: take others.
                if attempt + 1 == _ATTEMPTS or "address already in use" not in str(failed):
                    raise
            finally:
                if not serves:
                    self.stop()
            if serves:
                return
            if not self._port_is_given:
                self.port = free_ports(1)[0]

    def launch(self) -> None:
        """Start the process and return at once; `wait_until_ready` tells when it serves."""
        if self._process is not None:
            raise StoreError(f"the S3 server in {self.directory} runs already; stop it first")
        if not is_free(self.port):
            raise StoreError(f"port {self.port} for the local S3 server is taken; choose another one")
        self._identity()
        (self.directory / "data").mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal must not take the store from pods that seal
            )

    def wait_until_ready(self) -> None:
        """Return once the bucket exists and a PUT through it works."""
        from obstore import put
        from obstore.exceptions import BaseError

        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while True:
            process = self._process
            if process is None:
                raise StoreError(f"the S3 server in {self.directory} was stopped before it was ready")
            if process.poll() is not None:
                raise StoreError(f"the S3 server ended with code {process.returncode}: {self._last_words()}")
            try:
                self.create_bucket(self.bucket)
                put(self.client(retries=0), ".ready", b"ready")
            except (OSError, BaseError) as failed:
                if time.monotonic() > deadline:
                    took = f"took no PUT within {_READY_WITHIN_SECONDS:.0f} s"
                    raise StoreError(f"the S3 server {took}: {failed}\nIts log: {self._log}") from failed
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """End the server. SIGKILL, since it lingers on SIGTERM; what it has acknowledged is on disk."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        for port in (self.port, *self._inner_ports.values()):
            for left in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def create_bucket(self, name: str) -> None:
        """Make a bucket; one that exists already is left as it is."""
        # Imported late: 10 ms that a start with another store need not pay.
        import urllib.request
        from http import HTTPStatus
        from urllib.error import HTTPError

        made = urllib.request.Request(
            f"http://{LOOPBACK}:{self._inner_ports['filer.port']}/buckets/{name}/", method="POST"
        )
        try:
            urllib.request.urlopen(made, timeout=5).close()  # noqa: S310 - a fixed http address on the loopback
        except HTTPError as refused:
            with refused:
                if refused.code != HTTPStatus.CONFLICT:  # it exists
                    raise

    def client(self, *, bucket: str | None = None, retries: int = 3) -> S3Store:
        """An obstore client for one of the server's buckets."""
        from datetime import timedelta

        from obstore.store import S3Store

        return S3Store(
            bucket or self.bucket,
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": "10s"},
            retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=10)},
        )

    @property
    def _log(self) -> Path:
        return self.directory / "weed.log"

    @property
    def _config(self) -> Path:
        return self.directory / "s3.json"

    def _identity(self) -> Credentials:
        if self._credentials is None:
            if not self._config.exists():
                self._write_identity()
            keys = json.loads(self._config.read_bytes())["identities"][0]["credentials"][0]
            self._credentials = Credentials(keys["accessKey"], keys["secretKey"])
        return self._credentials

    def _write_identity(self) -> None:
        import secrets

        keys = {"accessKey": f"DORMOUSE{secrets.token_hex(6).upper()}", "secretKey": secrets.token_hex(20)}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        known = {"identities": [{"name": "dormouse", "credentials": [keys], "actions": actions}]}
        self.directory.mkdir(parents=True, exist_ok=True)
        fresh = self._config.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(known))
        fresh.replace(self._config)

    def _command(self) -> list[str]:
        self._inner_ports = dict(zip(_INNER_PORTS, free_ports(len(_INNER_PORTS)), strict=True))
        return [
            weed_binary(),
            "server",
            f"-dir={self.directory / 'data'}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            "-s3",
            f"-s3.port={self.port}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={self._config}",
            f"-s3.autoCreateBucket={str(self._auto_create_buckets).lower()}",
            *(f"-{name}={port}" for name, port in self._inner_ports.items()),
            "-master.telemetry=false",
            "-volume.max=64",
        ]

    def _environment(self) -> dict[str, str]:
        # HOME is the folder, so that a person's own SeaweedFS settings do not reach this server.
        # One new volume at a time: the default of seven a bucket would use up what is allowed.
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory),
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            **self._added_environment,
        }

    def _last_words(self) -> str:
        try:
            log = self._log.read_text(errors="replace")
        except FileNotFoundError:
            return "it left no log"
        fatal = _FATAL.search(log)
        why = fatal["why"] if fatal else "\n".join(log.splitlines()[-5:])
        return f"{why}\nIts log: {self._log}"


def weed_binary() -> str:
    """Where `weed` is: beside the Python that runs, else on the PATH."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise StoreError(f"SeaweedFS (`weed`) is not installed; install it with: {installed_by('dev')}")
    return found
