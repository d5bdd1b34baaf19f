"""What does a program that runs cost, and what did it write? By the kernel's books, and by the API server's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_NOT_OF_THE_FLEET = frozenset({"leases"})
"""The leader's own sign of life."""


def say(text: str) -> None:
    """What a person sees while a figure is taken: one line, with the time of day."""
    print(f"fleet: {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Program:
    """One process with all of its threads."""

    process: subprocess.Popen[bytes]
    log: Path

    def last_words(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-2000:]

    def is_alive(self) -> bool:
        """Whether it has not ended by itself."""
        return self.process.poll() is None

    def cpu_seconds(self) -> float:
        """What it has used of a core since it began, in and for it."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mib(self) -> float:
        """Its resident memory."""
        return self._memory("VmRSS")

    def peak_rss_mib(self) -> float:
        """The most that it ever was."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:")) / 1024


@contextmanager
def running(command: Sequence[str], kubeconfig: Path, log: Path) -> Iterator[Program]:
    """Until the end of the block."""
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**environment, "KUBECONFIG": str(kubeconfig)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        made = Program(process, log)
        yield made
        if not made.is_alive():
            raise RuntimeError(f"{command[0]} ended by itself: {made.last_words()}")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def operator_command(*options: str) -> list[str]:
    """The operator of this tree."""
    return [str(Path(sys.executable).parent / "dormouse"), "operator", "run", *options]


@dataclass(frozen=True)
class Written:
    """One write that the API server did."""

    verb: str
    resource: str
    namespace: str
    name: str

    @property
    def is_event(self) -> bool:
        return self.resource == "events"


class AuditLog:
    """What one user writes, in the order in which it was done; leases apart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def news(self) -> list[Written]:
        """Since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [written for line in lines if (written := _written(line)) is not None]


def _written(line: bytes) -> Written | None:
    event = json.loads(line)
    if event["stage"] != "ResponseComplete" or event["responseStatus"]["code"] >= 300:
        return None
    of = event["objectRef"]
    if of["resource"] in _NOT_OF_THE_FLEET:
        return None
    resource = "/".join(filter(None, (of["resource"], of.get("subresource"))))
    return Written(event["verb"], resource, of.get("namespace", ""), of.get("name", ""))
