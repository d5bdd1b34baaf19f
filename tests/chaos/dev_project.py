"""How is a real `dormouse dev` run, killed and looked at from outside? Shared by chaos tests and benchmarks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import yaml
from history import Attempt
from obstore.store import S3Store

from dormouse.replica.layout import Layout
from dormouse.replica.s3 import Location
from dormouse_operator.dev.leftovers import TAG
from dormouse_operator.dev.seaweedfs import SeaweedFS
from stored_database import StoredDatabase

NAME = "chain"
_MODULE = Path(__file__).with_name("chain.py")


@dataclass
class DevProject:
    """A folder with a manifest and a module, and the `dormouse dev` of it. The store belongs to the caller."""

    folder: Path
    server: SeaweedFS
    prefix: str
    steps: int
    step_seconds: float = 0.01
    durability: str = "Sync"
    max_lag_seconds: int = 30
    ballast_bytes: int = 0
    sabotage: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(_MODULE, self.folder)
        if self.sabotage is not None:
            shutil.copy(_MODULE.with_name("sabotage.py"), self.folder / "sitecustomize.py")
            (self.folder / "SABOTAGE").write_text(self.sabotage)
        self.manifest.write_text(yaml.safe_dump_all(self._documents()))

    @property
    def manifest(self) -> Path:
        return self.folder / "dormouse.yaml"

    @property
    def layout(self) -> Layout:
        return Layout.of(self.prefix, "default", NAME)

    @property
    def store(self) -> S3Store:
        return S3Store(
            self.server.bucket,
            endpoint=self.server.endpoint,
            region=self.server.region,
            access_key_id=self.server.access_key,
            secret_access_key=self.server.secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    def _documents(self) -> list[dict[str, Any]]:
        credentials = {
            "STORE_ENDPOINT": self.server.endpoint,
            "STORE_BUCKET": self.server.bucket,
            "STORE_ACCESS_KEY_ID": self.server.access_key,
            "STORE_SECRET_ACCESS_KEY": self.server.secret_key,
        }
        secret = {"name": "kept", "accessKeyIdKey": "id", "secretAccessKeyKey": "key"}
        order = {
            "steps": self.steps,
            "step_seconds": self.step_seconds,
            "prefix": f"{self.prefix}/attempts",
            "ballast_bytes": self.ballast_bytes,
        }
        return [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "kept"},
                "stringData": {"id": self.server.access_key, "key": self.server.secret_key},
            },
            {
                "apiVersion": "dormouse.dev/v1alpha1",
                "kind": "ObjectStore",
                "metadata": {"name": "kept"},
                "spec": {
                    "endpoint": self.server.endpoint,
                    "region": self.server.region,
                    "bucket": self.server.bucket,
                    "prefix": self.prefix,
                    "pathStyle": True,
                    "credentials": {"secretRef": secret},
                },
            },
            {
                "apiVersion": "dormouse.dev/v1alpha1",
                "kind": "DurableWorkflow",
                "metadata": {"name": NAME},
                "spec": {
                    "image": "example.invalid/chain:1",
                    "entrypoint": "chain",
                    "start": {"workflow": "chain", "input": order},
                    "storage": {
                        "storeRef": {"name": "kept"},
                        "durability": self.durability,
                        "maxLagSeconds": self.max_lag_seconds,
                    },
                    "template": {
                        "spec": {
                            "containers": [
                                {
                                    "name": "runtime",
                                    "env": [{"name": name, "value": value} for name, value in credentials.items()],
                                }
                            ]
                        }
                    },
                },
            },
        ]

    def start(self, *options: str) -> None:
        """Start `dormouse dev` in the background."""
        with (self.folder / "dev.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("dormouse")), "dev", "-f", str(self.manifest), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def mend(self) -> None:
        """Undo the sabotage."""
        (self.folder / "SABOTAGE").unlink(missing_ok=True)
        self.sabotage = None

    def log(self) -> str:
        return (self.folder / "dev.log").read_text()

    def wait(self, seconds: float) -> int:
        """Wait for `dormouse dev` to end by itself; its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def wait_until(self, reached: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for something outside; fails with the log of `dormouse dev`."""
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: {what}\n{self.log()[-3000:]}")
            time.sleep(0.05)

    def interrupt(self) -> int:
        """Ctrl-C, as a person ends it; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(90)

    def processes(self) -> dict[int, str]:
        """Every living process of this folder: dev itself and all it started. Command lines by process id."""
        found: dict[int, str] = {}
        tag = f"{TAG}={(self.folder / '.dormouse').absolute()}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if tag in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        if self.process is not None and self.process.poll() is None:
            found[self.process.pid] = "dormouse dev"
        return found

    def kill_everything(self) -> None:
        """SIGKILL all of it, as a machine does that loses its power."""
        while found := self.processes():
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if self.process is not None:
                self.process.wait(10)
            time.sleep(0.01)

    def wipe_volumes(self, whole_pods: bool) -> None:
        """Remove the volumes; with `whole_pods` all that the machine kept of its pods."""
        for pod in (self.folder / ".dormouse" / "pods").iterdir():
            shutil.rmtree(pod if whole_pods else pod / "volumes")

    @property
    def stored(self) -> StoredDatabase:
        """What the store holds of the workflow."""
        server = self.server
        location = Location(
            server.bucket, server.endpoint, server.region,
            access_key_id=server.access_key, secret_access_key=server.secret_key,
        )  # fmt: skip
        return StoredDatabase(location, self.layout, self.store)

    def attempts(self) -> list[Attempt]:
        """Every attempt so far, as the store tells it."""
        prefix = f"{self.prefix}/attempts"
        return sorted(
            Attempt.of_key(item["path"]) for page in obstore.list(self.store, prefix, chunk_size=1000) for item in page
        )
