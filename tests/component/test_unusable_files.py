"""What does `dormouse run` say of a file that it cannot use, and does it leave it as it was?"""

from __future__ import annotations

import re
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dormouse.client import Client, Unreachable
from dormouse.errors import EngineStopped

MODULE = """
from dormouse import workflow

@workflow
async def keep(text: str) -> str:
    return text
"""
DORMOUSE = str(Path(sys.executable).with_name("dormouse"))
LARGEST_FILE = 1_000_000


@contextmanager
def running(folder: Path, largest_file: int | None = None) -> Iterator[subprocess.Popen[str]]:
    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    (folder / "flows.py").write_text(MODULE)
    command = [DORMOUSE, "run", "flows.py", "--database", "db.sqlite", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,  # noqa: PLW1509
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    return found[0]


def a_database(file: Path) -> None:
    with running(file.parent) as process, Client(url_of(process)) as client:
        for number in range(20):
            client.start("keep", "x" * 2000, id=str(number)).result()
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def cut_short(file: Path) -> None:
    a_database(file)
    with file.open("r+b") as opened:
        opened.truncate(5000)


def scribbled_over(file: Path) -> None:
    a_database(file)
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 20_000)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.write_text("this is no database at all, but long enough to look at"), "name another"),
        (lambda file: file.write_bytes(b"SQLite format 3\x00" + b"\xa5" * 8000), "name another"),
        (cut_short, "from before it was damaged"),
        (scribbled_over, "from before it was damaged"),
    ],
    ids=["text", "only the head of one", "cut short", "scribbled over"],
)
def test_a_file_that_is_none_or_damaged_is_refused_and_left_as_it_is(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    file = tmp_path / "db.sqlite"
    damage(file)
    before = file.read_bytes()
    with running(tmp_path) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "db.sqlite: " in said
    assert words in said
    assert file.read_bytes() == before
    assert not file.with_name("db.sqlite-lock").exists()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(MODULE)
    command = [DORMOUSE, "run", "flows.py", "--database", "nowhere/db.sqlite"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "nowhere/db.sqlite" in ended.stderr
    assert "look whether the folder exists" in ended.stderr


def test_when_nothing_more_can_be_written_it_ends_and_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    acknowledged = []

    def start_more_and_more(client: Client) -> None:
        for number in range(1000):
            client.start("keep", f"{number}-" * 500, id=str(number))
            acknowledged.append(str(number))

    with running(tmp_path, LARGEST_FILE) as process, Client(url_of(process)) as client:
        with pytest.raises((Unreachable, EngineStopped)):
            start_more_and_more(client)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "what was acknowledged is in the file" in said
    assert len(acknowledged) > 10

    with running(tmp_path) as process, Client(url_of(process)) as client:
        for number in acknowledged:
            assert client.handle(number).result() == f"{number}-" * 500
    with closing(sqlite3.connect(tmp_path / "db.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
