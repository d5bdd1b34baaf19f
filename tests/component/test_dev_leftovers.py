"""Does a new start kill exactly what an earlier one of the same folder left running?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dormouse_operator.dev.leftovers import kill_leftovers, tag

PARENT = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True, stdout=subprocess.DEVNULL
)
print(child.pid, flush=True)
"""


def sleeper(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    script = "print('up', flush=True); import time; time.sleep(600)"
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, **environment}, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
    return process


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""  # a zombie has none
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_only_processes_of_this_folder_are_killed(tmp_path: Path) -> None:
    ours, other = sleeper(tag(tmp_path / "ours")), sleeper(tag(tmp_path / "ours-too"))
    try:
        assert kill_leftovers(tmp_path / "ours") == 1
        assert ours.wait(timeout=30) == -9
        assert other.poll() is None
        assert kill_leftovers(tmp_path / "ours") == 0
    finally:
        other.kill()
        other.wait()


def test_a_child_whose_parent_is_gone_is_found(tmp_path: Path) -> None:
    parent = subprocess.run(
        [sys.executable, "-c", PARENT], env={**os.environ, **tag(tmp_path)}, stdout=subprocess.PIPE, check=True
    )
    child = int(parent.stdout)
    assert kill_leftovers(tmp_path) == 1
    assert has_ended(child)
