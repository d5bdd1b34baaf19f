"""Does `dormouse open` begin, say where, and end when it is told to? As a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from observed_files import long_history

DORMOUSE = Path(sys.executable).with_name("dormouse")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_on_this_machine_alone_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    file = long_history(tmp_path / "orders.sqlite", 10)
    command = [str(DORMOUSE), "open", file.name, "--no-browser"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as opened:
        assert opened.stdout is not None
        said = opened.stdout.readline()
        url = said.split(" on ")[1].split()[0]
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client() as kept_alive:
            assert "long-1" in kept_alive.get(url).text
            opened.send_signal(number)
            rest = opened.communicate(timeout=60)[0]
    assert (opened.returncode, rest) == (0, "")


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"no database, but a text of some length, which is none" * 100, 4, "is it a database of Dormouse?"),
        (b"", 4, "is a SQLite file, but not one of Dormouse"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes, code: int, told: str) -> None:
    (tmp_path / "other.sqlite").write_bytes(content)
    ran = subprocess.run(
        [DORMOUSE, "open", "other.sqlite", "--no-browser"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (ran.returncode, told in ran.stderr) == (code, True), ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nothing.sqlite"], 4, "there is no file nothing.sqlite"),
        ([], 2, "Missing argument"),
        (["orders.sqlite", "--port", "70000"], 2, "70000 is not in the range"),
        (["s3://bucket"], 2, "names no workflow"),
        (["orders"], 4, "this needs kubectl"),
    ],
)
def test_a_wrong_command_line_is_told(tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    long_history(tmp_path / "orders.sqlite", 10)
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "PATH": ""}
    ran = subprocess.run(
        [DORMOUSE, "open", "--no-browser", *arguments], cwd=tmp_path, env=os.environ | keys, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, told in ran.stderr) == (code, True), ran.stderr
