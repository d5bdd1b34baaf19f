"""What does a test of the whole `dormouse dev` need? A folder with manifests, and the command as a process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from dormouse_operator.dev.leftovers import kill_leftovers
from dormouse_operator.dev.seaweedfs import SeaweedFS

COUNTER = """\
import asyncio, pathlib
from dormouse import activity, workflow

HERE = pathlib.Path({folder!r})

@activity
async def step(number: int) -> tuple[int, float]:
    with (HERE / "runs").open("a") as runs:
        runs.write(f"{{number}}\\n")
    lingers = (HERE / "linger").exists() and number >= int((HERE / "linger").read_text())
    return number, 1 if lingers else 0.05

@workflow
async def count(until: int) -> int:
    total = 0
    for number in range(until):
        value, pause = await step(number)
        total += value
        await asyncio.sleep(pause)
    return total
"""


class Project:
    """A folder with one workflow, `counter`, that stores under a prefix of its own."""

    def __init__(self, folder: Path, server: SeaweedFS | None) -> None:
        self.folder = folder
        self.server = server
        self.manifest = folder / "dormouse.yaml"
        self.prefix = f"dev-{uuid.uuid4().hex[:8]}"
        self.store = "local" if server is None else "tests"
        (folder / "counter.py").write_text(COUNTER.format(folder=str(folder)))
        self.write()

    def write(self, **changes: Any) -> None:
        """Write the manifest; changes are to the workflow's spec."""
        spec = {
            "image": "counter",
            "entrypoint": "counter",
            "start": {"workflow": "count", "input": 20},
            "storage": {"storeRef": {"name": self.store}},
        } | changes
        documents = [_document("dormouse.dev/v1alpha1", "DurableWorkflow", "counter", spec=spec), *self._store()]
        self.manifest.write_text("\n---\n".join(map(json.dumps, documents)))

    def runs(self) -> list[int]:
        """The numbers of the steps in the order in which they ran."""
        path = self.folder / "runs"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def wait_for_step(self, number: int) -> None:
        """Wait until it ran; with `lingering` a test has many seconds before the last one."""
        deadline = time.monotonic() + 60
        while number not in self.runs():
            assert time.monotonic() < deadline, f"step {number} never ran"
            time.sleep(0.01)

    @contextlib.contextmanager
    def lingering(self, at: int) -> Iterator[None]:
        """From this step on each takes a second, until the end of the block: a slow machine sees it on its way."""
        linger = self.folder / "linger"
        linger.write_text(str(at))
        self.wait_for_step(at)
        yield
        linger.unlink()

    def status(self) -> dict[str, Any]:
        """The saved status of the workflow."""
        state = json.loads((self.folder / ".dormouse" / "state.json").read_bytes())
        status: dict[str, Any] = state["workflows"]["default/counter"]["status"]
        return status

    def _store(self) -> list[dict[str, Any]]:
        if self.server is None:
            return []
        store = {
            "endpoint": self.server.endpoint,
            "bucket": self.server.bucket,
            "prefix": self.prefix,
            "pathStyle": True,
            "credentials": {"secretRef": {"name": "tests"}},
        }
        keys = {"accessKeyId": self.server.access_key, "secretAccessKey": self.server.secret_key}
        return [
            _document("dormouse.dev/v1alpha1", "ObjectStore", "tests", spec=store),
            _document("v1", "Secret", "tests", stringData=keys),
        ]


class Dev:
    """One `dormouse dev`; whatever it leaves running is killed at the end."""

    def __init__(self, project: Project, *options: str) -> None:
        self.project = project
        self.output: list[str] = []
        self._lines: Queue[str | None] = Queue()
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / "dormouse"), "dev", "-f", str(project.manifest), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def until_line(self, pattern: str) -> str:
        """The next line of output that the pattern is found in."""
        with contextlib.suppress(Empty):
            while (line := self._lines.get(timeout=30)) is not None:
                self.output.append(line)
                if re.search(pattern, line):
                    return line
        raise AssertionError(f"no line with {pattern!r} in:\n{''.join(self.output)}")

    def ended(self) -> tuple[int, str]:
        """Wait for the end; exit code and whole output."""
        while (line := self._lines.get(timeout=60)) is not None:
            self.output.append(line)
        return self.process.wait(timeout=60), "".join(self.output)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """kill -9 of every process."""
        self.process.kill()
        self.process.wait()
        kill_leftovers(self.project.folder / ".dormouse")
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._lines.put(line)
        self._lines.put(None)


def _document(version: str, kind: str, name: str, **parts: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **parts}
