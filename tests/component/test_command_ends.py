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
FAILS = """
import asyncio, sys
import obstore
from obstore.store import S3Store
from dormouse.ending import ending_at_once

async def ask():
    options = {"client_options": {"allow_http": True}, "retry_config": {"max_retries": 0}}
    await obstore.head_async(S3Store("bucket", endpoint=sys.argv[1], **options), "a key")

with ending_at_once():
    asyncio.run(ask())
"""
"""A command that meets an error which nobody foresaw."""


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
    store = f"http://127.0.0.1:{free_port()}"
    program = Path(sys.executable).with_name("dormouse")
    done = run_with_a_thread_that_lingers(tmp_path, program, *arguments, "--endpoint", store)
    assert store in done.stdout
    assert done.returncode == UNREACHABLE, done.stdout


def test_a_command_that_fails_in_a_way_that_nobody_foresaw_says_how_and_ends_with_1(tmp_path: Path) -> None:
    store = f"http://127.0.0.1:{free_port()}"
    done = run_with_a_thread_that_lingers(tmp_path, sys.executable, "-c", FAILS, store)
    assert "Traceback (most recent call last)" in done.stdout
    assert store in done.stdout
    assert done.returncode == 1, done.stdout


def run_with_a_thread_that_lingers(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(LINGERS)
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    done = subprocess.run(
        command,
        cwd=folder, env={**os.environ, **keys, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "a thread of the S3 client answers" in done.stdout  # else these tests would look at nothing
    return done
