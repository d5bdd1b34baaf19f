"""Does pytest find the fixture, and does each test have a world of its own?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = """
from dormouse import workflow
from dormouse.testing import Durable

@workflow
async def one() -> int:
    return 1

def test_first(durable: Durable) -> None:
    assert durable.run(one, id="same") == 1
    assert durable.database.exists()

def test_second(durable: Durable) -> None:
    assert not durable.database.exists()
    assert durable.run(one, id="same") == 1
"""


def test_the_fixture_is_there_and_belongs_to_one_test(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "dormouse.testing.plugin"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_it_needs_nothing_that_a_workflow_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(TESTS)
    extras = ("httpx", "click", "h11", "yaml", "obstore")
    (tmp_path / "conftest.py").write_text(f"import sys\n\nsys.modules.update(dict.fromkeys({extras}))\n")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "dormouse.testing.plugin"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr
