"""What does the keeper's process load? Each pod has one, so its memory is a feature."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["_ssl", "_hashlib", "msgspec", "http.client", "boto3", "shutil", "lzma", "uuid"])
def test_a_keeper_does_without(module: str, loaded: set[str]) -> None:
    assert module not in loaded


def test_a_keeper_loads_what_it_does_its_work_with(loaded: set[str]) -> None:
    assert {"asyncio", "obstore", "sqlite3", "dormouse.keeper.life"} <= loaded


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """What a keeper has loaded when it finds that nobody has told it anything."""
    environment = {"PATH": os.environ["PATH"], "DORMOUSE_TERMINATION_LOG": os.devnull}
    command = [sys.executable, "-X", "importtime", "-m", "dormouse.keeper"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "DORMOUSE_EPOCH is not set" in ran.stderr
    return set(re.findall(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", ran.stderr, re.MULTILINE))
