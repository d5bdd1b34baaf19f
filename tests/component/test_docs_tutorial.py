"""Does the tutorial work as it stands there? Read from top to end, with the process killed where it says so."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from reading_along import read_along
from test_docs_commands import WITHIN_SECONDS, answers, environment, in_another_terminal

from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, Example, examples_by_heading, write_titled

PAGE = REPOSITORY / "docs" / "tutorial.md"
SHOWN_PORT = "8102"


@contextmanager
def killed_in_another_terminal(command: str, folder: Path, ready: str) -> Iterator[None]:
    """Keep a command running while the reader types the next ones; then kill it as hard as can be."""
    process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=folder, env=environment())
    try:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not answers(ready):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait(WITHIN_SECONDS)


def test_the_tutorial_works_from_top_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = str(free_ports(1)[0])
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p dormouse.testing.plugin -p no:cacheprovider -W error")
    write_titled(PAGE, tmp_path)
    sections = examples_by_heading(PAGE)
    (lint,) = sections["Write"]
    serve, *ask = sections["Run"]
    look, serve_again, reply = sections["Kill it"]
    ready = f"http://127.0.0.1:{port}/readyz"

    def follow(*shown: Example) -> None:
        read_along(shown, tmp_path, (SHOWN_PORT, port))

    follow(lint)
    with killed_in_another_terminal(serve.command.replace(SHOWN_PORT, port), tmp_path, ready):
        follow(*ask)
    follow(look)
    with in_another_terminal(serve_again.command.replace(SHOWN_PORT, port), tmp_path, ready):
        follow(reply, *sections["Test"], *sections["Types"])
