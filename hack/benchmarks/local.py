"""What does a restart cost on one machine?

`restart_ratio`: kill of all processes with the volume wiped, to the first step that the new life runs, for a database
of 1 MB, the store kept running; over the sum of Litestream's own restore of the same data (checked in full, as ours is)
and a bare start of Python that imports the same module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev_project import DevProject
from frame import Baseline, Figure, Measured, median, run

from dormouse_operator.dev.seaweedfs import SeaweedFS

BALLAST_BYTES = 1_000_000


@contextmanager
def running(folder: Path) -> Iterator[DevProject]:
    """A workflow under way whose database is 1 MB."""
    server = SeaweedFS(folder / "store")
    server.start()
    project = DevProject(
        folder / "project",
        server,
        prefix=f"bench-{uuid.uuid4().hex[:8]}",
        steps=100_000,
        step_seconds=0.05,
        ballast_bytes=BALLAST_BYTES,
    )
    try:
        project.start("--quiet")
        project.wait_until(lambda: len(project.attempts()) >= 5, 60, "five steps")
        yield project
    finally:
        project.kill_everything()
        server.stop()


def restart_seconds(project: DevProject) -> float:
    """Kill, wipe, start; from the start to the first attempt of the new life."""
    enough = len(project.attempts()) + 50  # a life that was Ready: replacing one that never was waits a second
    project.wait_until(lambda: len(project.attempts()) >= enough, 60, "a life that works")
    project.kill_everything()
    project.wipe_volumes(whole_pods=True)
    before = time.time_ns()
    project.start("--quiet")

    def resumed() -> list[int]:
        return [attempt.at_ns for attempt in project.attempts() if attempt.at_ns > before]

    project.wait_until(lambda: bool(resumed()), 60, "the first resumed step")
    return (min(resumed()) - before) / 1e9


def restore_seconds(project: DevProject, folder: Path) -> float:
    """Litestream alone, restoring what the last restart restored."""
    base = project.stored.current().entry.base
    assert base is not None
    target = folder / f"{uuid.uuid4().hex}.sqlite"
    started = time.perf_counter()
    project.stored.restore(base.prefix, base.txid, target)
    seconds = time.perf_counter() - started
    assert target.stat().st_size > BALLAST_BYTES
    target.unlink()
    return seconds


def import_seconds(project: DevProject) -> float:
    """A bare Python that imports the user's module."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import chain"], check=True, env={**os.environ, "PYTHONPATH": str(project.folder)}
    )
    return time.perf_counter() - started


def restart_ratio(quick: bool) -> Measured:
    """Interleaved, so that a slow moment of the machine hits all alike."""
    ours, floor = [], []
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name, running(Path(name)) as project:
        for _ in range(3 if quick else 9):
            ours.append(restart_seconds(project))
            project.kill_everything()
            floor.append(restore_seconds(project, Path(name)) + import_seconds(project))
            project.start("--quiet")
    baseline = Baseline("litestream restore + python import, seconds", median(floor))
    return Measured((median(ours) / median(floor),), baseline)


if __name__ == "__main__":
    what = "a restart on the same machine, over a restore by Litestream alone and an import of the module"
    sys.exit(run("local", [Figure("restart_ratio", what, 3, "lower", restart_ratio)], sys.argv[1:]))
