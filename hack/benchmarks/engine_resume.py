"""How long does it take from the start of a process to the first step that it resumes?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import rivals
from frame import Baseline, Measured, median

_EXECUTIONS = 1000
_WITHIN_SECONDS = 90


def _dormouse() -> Sequence[str]:
    return [sys.executable, str(rivals.PROGRAMS / "resume_dormouse.py")]


def _dbos() -> Sequence[str]:
    return [rivals.python("dbos"), str(rivals.PROGRAMS / "resume_dbos.py")]


def _steps(folder: Path) -> list[int]:
    """The moments at which second steps began."""
    try:
        lines = (folder / "side").read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [int(line) for line in lines[:-1]]


def _live(command: Sequence[str], folder: Path, phase: str, until: int) -> None:
    """Run a life until so many second steps began, then kill it."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command, str(folder), str(_EXECUTIONS), phase], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _WITHIN_SECONDS
        while len(_steps(folder)) < until:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{phase} does not get there:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()


def _prepared(command: Sequence[str], folder: Path) -> Path:
    """A folder whose database holds the open executions."""
    folder.mkdir()
    _live(command, folder, "prepare", _EXECUTIONS)
    return folder


def _resume_seconds(command: Sequence[str], prepared: Path) -> float:
    folder = prepared.with_name(f"{prepared.name}-copy")
    shutil.copytree(prepared, folder)
    (folder / "side").unlink()
    began = time.monotonic_ns()
    _live(command, folder, "resume", 1)
    seconds = (min(_steps(folder)) - began) / 1e9
    shutil.rmtree(folder)
    return seconds


def resume_ratio(quick: bool) -> Measured:
    """Ours over theirs, turn by turn, each on copies of one file that its first life was killed over."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        ours = _prepared(_dormouse(), Path(name) / "dormouse")
        theirs = _prepared(_dbos(), Path(name) / "dbos")
        rounds = range(1 if quick else 7)
        pairs = [(_resume_seconds(_dormouse(), ours), _resume_seconds(_dbos(), theirs)) for _ in rounds]
    return Measured(
        tuple(one / other for one, other in pairs),
        Baseline("DBOS, async, one connection, WAL, synchronous=FULL, seconds", median([other for _, other in pairs])),
    )
