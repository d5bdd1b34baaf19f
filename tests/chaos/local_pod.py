"""How is one pod run and harmed? A keeper and a runtime on a volume of their own, and a kubelet's work on them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from faulting_store import FaultingStore
from process_tree import descendants

from dormouse.pod import TERMINATION_LOG, read_marker
from dormouse.replica.refusal import ENDS_THE_POD

_HERE = Path(__file__).parent
_VOLUME_MEGABYTES = 24
_PAUSE_SECONDS = 0.1
_GRACE_SECONDS = 10
_ENDS_THE_POD = {reason.value for reason in ENDS_THE_POD}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class LocalPod:
    """One pod. Its volume is a file system of its own, so that it can be full.

    Attributes:
        settings: what is the same for all pods of the workflow: its environment.
    """

    folder: Path
    epoch: int
    store: FaultingStore
    settings: Mapping[str, str]
    sabotage: str | None = None
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    port: int = field(default_factory=_free_port)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the pod will not live again: its keeper said so, or it was taken away."""
    farewells: list[str] = field(default_factory=list)
    _processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _kubelet: list[asyncio.Task[None]] = field(default_factory=list)
    _gone: bool = False

    @property
    def volume(self) -> Path:
        return self.folder / "data"

    @property
    def _source(self) -> Path:
        return self.folder / "source"

    def start(self) -> None:
        """Make the volume and run both containers until the pod ends."""
        self.volume.mkdir(parents=True)
        self._source.mkdir()
        shutil.copy(_HERE / "chains.py", self._source)
        shutil.copy(_HERE / "pod_patches.py", self._source / "sitecustomize.py")
        self.jump_clock(0)
        if self.sabotage is not None:
            shutil.copy(_HERE / "sabotage.py", self._source)
            (self._source / "SABOTAGE").write_text(self.sabotage)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_VOLUME_MEGABYTES}m", "none", str(self.volume)]
        subprocess.run(mount, check=True)
        for name in ("keeper", "runtime"):
            self._kubelet.append(asyncio.create_task(self._run(name)))

    async def _run(self, name: str) -> None:
        """A container with `restartPolicy: OnFailure`."""
        while not self.ended.is_set():
            farewell = self.folder / f"{name}{TERMINATION_LOG.replace('/', '-')}"
            farewell.unlink(missing_ok=True)
            with (self.folder / f"{name}.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", f"dormouse.{name}",
                    env=self._environment(name, farewell), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                )  # fmt: skip
            self._processes[name] = process
            code = await process.wait()
            reason = _reason(farewell)
            self.farewells.append(f"{name} {self.epoch}: {reason or code}")
            if code == 0:
                return
            if name == "keeper" and reason in _ENDS_THE_POD:
                self.ended.set()
                self.kill()
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    def _environment(self, name: str, farewell: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self._source),
            "DORMOUSE_POD_UID": self.uid,
            "DORMOUSE_EPOCH": str(self.epoch),
            "DORMOUSE_DIRECTORY": str(self.volume),
            "DORMOUSE_TERMINATION_LOG": str(farewell),
            "DORMOUSE_HOST": "127.0.0.1",
            "DORMOUSE_PORT": str(self.port if name == "runtime" else _free_port()),
            "DORMOUSE_STORE_ENDPOINT": self.store.endpoint,
            "DORMOUSE_GRACE_SECONDS": str(_GRACE_SECONDS),
            "DORMOUSE_SOURCE": str(self._source),
            **self.settings,
        }

    # What is done to it. Nothing here waits, so that it happens at exactly the moment that a story names.

    def signal(self, number: signal.Signals, *names: str) -> None:
        """To containers, and to Litestream; without names to all processes of the pod."""
        for pid in self._pids(names or ("keeper", "litestream", "runtime")):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self, names: tuple[str, ...]) -> list[int]:
        living = {name: each.pid for name, each in self._processes.items() if each.returncode is None}
        found = [living[name] for name in names if name in living]
        if "litestream" in names and "keeper" in living:
            found += list(descendants(living["keeper"]))
        return found

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def jump_clock(self, seconds: float) -> None:
        (self._source / "CLOCK").write_text(str(seconds))

    def fill_disk(self) -> None:
        with suppress(OSError), (self.volume / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))

    def free_disk(self) -> None:
        (self.volume / "ballast").unlink(missing_ok=True)

    def reboot(self, chance: random.Random) -> None:
        """The machine lost its power: its newest writes are torn, and its boot id is another one from now on."""
        self.kill()
        marker = self.volume / "marker.json"
        if read_marker(marker) is not None:
            document = json.loads(marker.read_bytes())
            marker.write_text(json.dumps({**document, "bootId": "before-the-power-loss"}))
        wal = self.volume / "db.sqlite-wal"
        if wal.exists():
            os.truncate(wal, chance.randint(0, wal.stat().st_size))

    def wipe(self) -> None:
        """The volume is lost, and the pod does not know."""
        self.kill()
        for entry in self.volume.iterdir():
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)

    async def drain(self) -> None:
        """As the kubelet ends a pod: the main container, then the sidecar, then SIGKILL."""
        self.ended.set()
        for name in ("runtime", "keeper"):
            self.signal(signal.SIGTERM, name)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    if name in self._processes:
                        await self._processes[name].wait()
        await self.take_away()

    async def take_away(self) -> None:
        """Nothing of it is left, whatever it was doing."""
        if self._gone:
            return
        self._gone = True
        self.ended.set()
        self.kill()
        for task in self._kubelet:
            task.cancel()
        await asyncio.gather(*self._kubelet, return_exceptions=True)
        self.kill()
        for process in self._processes.values():
            await process.wait()
        await asyncio.to_thread(subprocess.run, ["umount", "--lazy", str(self.volume)], check=True)


def _reason(farewell: Path) -> str:
    try:
        return str(json.loads(farewell.read_bytes())["reason"])
    except (OSError, ValueError, KeyError):
        return ""
