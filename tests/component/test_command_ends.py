"""Does a command that used the store end with its own exit code, whatever the S3 client's threads do meanwhile?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from keeper_pod import free_port

UNREACHABLE = 4
LINGERS = """
import asyncio.selector_events, builtins, threading, time
wakes, main = asyncio.selector_events.BaseSelectorEventLoop._write_to_self, threading.get_ident()

def wakes_and_wants_the_interpreter_back_later(loop):
    if threading.get_ident() == main:
        return wakes(loop)
    print("a thread of the S3 client answers", flush=True)
    wakes(loop)
    time.sleep(1.0)

class LeavesLast:
    def __del__(self, sleep=time.sleep):
        sleep(2.0)

asyncio.selector_events.BaseSelectorEventLoop._write_to_self = wakes_and_wants_the_interpreter_back_later
builtins.leaves_last = LeavesLast()
"""
"""The S3 client's thread, which has brought an answer, is back while Python takes itself apart."""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("pull", "s3://bucket/shop/orders"), id="pull"),
        pytest.param(("export", "s3://bucket/shop/orders", "-o", "copy.sqlite"), id="export"),
        pytest.param(("store", "check", "s3://bucket"), id="store check"),
    ],
)
def test_a_command_that_cannot_reach_its_store_ends_with_its_exit_code(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LINGERS)
    store = f"http://127.0.0.1:{free_port()}"
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    done = subprocess.run(
        [Path(sys.executable).with_name("dormouse"), *arguments, "--endpoint", store],
        cwd=tmp_path, env={**os.environ, **keys, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "a thread of the S3 client answers" in done.stdout  # else this test would look at nothing
    assert store in done.stdout
    assert done.returncode == UNREACHABLE, done.stdout
