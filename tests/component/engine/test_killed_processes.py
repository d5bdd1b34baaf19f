"""And with real processes? SIGKILL just before a write, or at any moment at all; then another process goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import feature_programs
import pytest
from feature_programs import PROGRAMS, WORKFLOWS
from killed_process import attempts_in
from lives import COMPLETED, Life, begun_again, content, ended_calls, kinds, message_keys
from programs import Program
from recording import record

SCRIPT = Path(__file__).with_name("killed_process.py")


def process(name: str, folder: Path, killed_before: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), name, str(folder), str(killed_before)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(feature_programs.__file__).parent)},
    )


def ended_as_left(folder: Path, scratch: Path) -> tuple[dict[str, int], bool]:
    """The calls whose ends the dead process has recorded, and whether a retry was; read from a copy."""
    shutil.copytree(folder, scratch)
    found = content(scratch / "db.sqlite")
    ended = ended_calls(scratch / "db.sqlite") if "CREATE TABLE event" in found else {}
    return ended, "ExecutionRetried" in found


def goes_on_elsewhere(name: str, program: Program, folder: Path, scratch: Path) -> Any:
    """Another process lives it to its end, and does nothing again that was recorded."""
    ended, retried = ended_as_left(folder, scratch)
    begun = len(attempts_in(folder))
    second = process(name, folder)
    printed, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    path = folder / "db.sqlite"
    if "ExecutionRetried" in kinds(path) and not retried:
        ended = {call: last for call, last in ended.items() if last == COMPLETED}
    assert begun_again(ended, attempts_in(folder)[begun:]) == []
    keys = message_keys(path)
    assert len(keys) == len(set(keys))
    assert json.loads(printed) == json.loads(json.dumps(program.result))


def writes_of(program: Program, folder: Path) -> int:
    folder.mkdir()
    return len(record(folder / "db.sqlite", WORKFLOWS, program.drive, Life()).changes)


def killed_before_a_write(name: str, write: int, folder: Path) -> None:
    folder.mkdir()
    first = process(name, folder, write)
    first.communicate(timeout=60)
    assert first.returncode == -signal.SIGKILL


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_process_killed_before_a_write_is_followed_by_one_that_goes_on(tmp_path: Path, name: str) -> None:
    write = Random(name).randint(30, writes_of(PROGRAMS[name], tmp_path / "counted") - 15)
    killed_before_a_write(name, write, tmp_path / "killed")
    goes_on_elsewhere(name, PROGRAMS[name], tmp_path / "killed", tmp_path / "copy")


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_process_killed_before_every_third_write_is_followed_by_one_that_goes_on(tmp_path: Path, name: str) -> None:
    for write in range(1, writes_of(PROGRAMS[name], tmp_path / "counted") - 15, 3):
        killed_before_a_write(name, write, tmp_path / f"killed-{write}")
        goes_on_elsewhere(name, PROGRAMS[name], tmp_path / f"killed-{write}", tmp_path / f"copy-{write}")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_processes_killed_at_any_moment_are_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    seed = int(os.environ.get("DORMOUSE_SEED", "20260729"))
    print(f"DORMOUSE_SEED={seed}")
    chance = Random(seed)
    for number in range(100):
        name, folder = chance.choice(list(PROGRAMS)), tmp_path / str(number)
        folder.mkdir()
        for _ in range(chance.randint(1, 3)):
            first = process(name, folder)
            time.sleep(chance.uniform(0.1, 0.5))
            first.kill()
            first.communicate(timeout=60)
        goes_on_elsewhere(name, PROGRAMS[name], folder, tmp_path / f"copy-{number}")
