"""Do the commands of the authors' page work as they stand there? Run in their order, as a reader would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, blocks, write_titled

PAGE = REPOSITORY / "docs" / "writing-workflows.md"
SHOWN_PORT = "8100"
WITHIN_SECONDS = 60


def commands() -> list[str]:
    """The shell blocks, without the first: it makes the environment in which this test runs."""
    return [block.text for block in blocks(PAGE, "bash")][1:]


def environment() -> dict[str, str]:
    commands_here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{commands_here}{os.pathsep}{os.environ['PATH']}"}


def run(command: str, folder: Path) -> str:
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


@contextmanager
def in_another_terminal(command: str, folder: Path, ready: str) -> Iterator[None]:
    """Keep a command running while the reader types the next ones; end it with Ctrl-C."""
    with (folder / "terminal.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=folder, env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not answers(ready):
            assert process.poll() is None, (folder / "terminal.log").read_text()
            assert time.monotonic() < deadline, (folder / "terminal.log").read_text()
            time.sleep(0.1)
        yield
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_SECONDS) == 0, (folder / "terminal.log").read_text()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(WITHIN_SECONDS)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_titled(PAGE, tmp_path)
    return tmp_path


def test_the_commands_work_in_their_order(folder: Path) -> None:
    port = str(free_ports(1)[0])
    test, to_the_end, serve, ask = (command.replace(SHOWN_PORT, port) for command in commands())
    assert " passed" in run(test, folder)
    run(to_the_end, folder)
    with in_another_terminal(serve, folder, f"http://127.0.0.1:{port}/readyz"):
        answer = run(ask, folder)
    assert "payment-8" in answer
    assert "ExecutionCompleted" in answer
