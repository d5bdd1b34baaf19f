"""Do the tests that the page on testing shows pass, and are they typed as it says?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dormouse.testing import Durable, VirtualEngine
from markdown_blocks import REPOSITORY, blocks, write_titled

PAGE = REPOSITORY / "docs" / "testing.md"


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "PYTEST_ADDOPTS": "-p dormouse.testing.plugin -p no:cacheprovider -W error"}
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_commands_of_the_page_work_in_their_order(tmp_path: Path) -> None:
    write_titled(PAGE, tmp_path)
    for block in blocks(PAGE, "bash"):
        program, *arguments = block.text.split()
        printed = run([*(["-m", "pytest"] if program == "pytest" else []), *arguments], tmp_path)
        assert " passed" in printed or program == "python"


def test_its_modules_are_typed(tmp_path: Path) -> None:
    files = sorted(file.name for file in write_titled(PAGE, tmp_path))
    run(["-m", "mypy", "--strict", *files], tmp_path)


def test_all_that_the_fixture_has_is_on_the_page() -> None:
    page = PAGE.read_text()
    names = {name for kind in (Durable,) for name in vars(kind) if not name.startswith("_")}
    names |= {name for name in vars(VirtualEngine) if not name.startswith("_")} - {"outcome", "crashed"}
    assert [name for name in sorted(names) if f"`{name}" not in page and f".{name}" not in page] == []
