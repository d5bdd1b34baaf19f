"""Do the programs and tests that the page on values shows pass, and are they typed?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from markdown_blocks import REPOSITORY, blocks, write_titled

PAGE = REPOSITORY / "docs" / "payloads.md"


def run(command: list[str], folder: Path) -> str:
    commands_here = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{commands_here}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": "-p no:cacheprovider -W error",
    }
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_commands_of_the_page_work_in_their_order(tmp_path: Path) -> None:
    write_titled(PAGE, tmp_path)
    for block in blocks(PAGE, "bash"):
        printed = run(["bash", "-euo", "pipefail", "-c", block.text], tmp_path)
        assert " passed" in printed or "pytest" not in block.text
        assert "nothing to be seen" in printed or "grep" not in block.text


def test_its_modules_are_typed(tmp_path: Path) -> None:
    files = [file.name for file in write_titled(PAGE, tmp_path) if file.suffix == ".py"]
    run([sys.executable, "-m", "mypy", "--strict", *files], tmp_path)
