"""Does a command end with its own exit code and words, whatever is in its way?

The threads of the S3 client, a full disk, an extra that is not installed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from keeper_pod import free_port

from dormouse import Engine

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


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("--help",), ("list", "empty.sqlite"), ("list", "empty.sqlite", "-o", "json")])
def test_a_command_whose_words_cannot_be_written_says_so_in_one_line(
    arguments: tuple[str, ...], unbuffered: str, tmp_path: Path
) -> None:
    asyncio.run(make_empty(tmp_path / "empty.sqlite"))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [Path(sys.executable).with_name("dormouse"), *arguments],
            cwd=tmp_path, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.stderr == "dormouse: what it says cannot be written: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("uvicorn", ("open", "empty.sqlite", "--no-browser"), "observer"),
        ("obstore", ("pull", "s3://bucket/shop/orders", "--endpoint", "http://127.0.0.1:9"), "observer"),
        ("obstore", ("store", "check", "s3://bucket", "--endpoint", "http://127.0.0.1:9"), "operator"),
    ],
)
def test_a_command_that_misses_a_module_says_which_extra_has_it(
    missing: str, arguments: tuple[str, ...], extra: str, tmp_path: Path
) -> None:
    asyncio.run(make_empty(tmp_path / "empty.sqlite"))
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n")
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    done = subprocess.run(
        [Path(sys.executable).with_name("dormouse"), *arguments],
        cwd=tmp_path, env={**os.environ, **keys, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"Error: `dormouse {arguments[0]}` needs the module '{missing}")
    assert said.endswith(f": pip install '/path/to/dormouse[{extra}]'")
    assert done.returncode == 1


async def make_empty(path: Path) -> None:
    async with Engine(path, []):
        pass


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
