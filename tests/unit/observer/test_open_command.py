"""What does `dormouse open` answer to wrong input, before it serves anything?"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from observed_files import long_history

from dormouse._commands import root


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"no database, but a text of some length, which is none" * 100, 4, "is no SQLite file; name a workflow"),
        (b"", 4, "is a SQLite file, but not one of Dormouse"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, content: bytes, code: int, told: str) -> None:
    other = tmp_path / "other.sqlite"
    other.write_bytes(content)
    ran = CliRunner().invoke(root, ["open", str(other), "--no-browser"])
    assert (ran.exit_code, told in ran.stderr) == (code, True), ran.stderr


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
def test_a_wrong_command_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "PATH": ""}.items():
        monkeypatch.setenv(name, value)
    long_history(tmp_path / "orders.sqlite", 10)
    ran = CliRunner().invoke(root, ["open", "--no-browser", *arguments])
    assert (ran.exit_code, told in ran.stderr) == (code, True), ran.stderr
