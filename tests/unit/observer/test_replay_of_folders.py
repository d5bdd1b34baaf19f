"""Does `dormouse replay --all` hold as a gate for CI: does it see every file, and hide nothing?"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from observed_files import make

from dormouse._commands import root


@pytest.fixture
def histories(tmp_path: Path) -> Path:
    folder = tmp_path / "histories"
    folder.mkdir()
    make(folder / "good.sqlite")
    (folder / "bad.sqlite").write_bytes(b"no database, and longer than the head of one " * 20)
    return folder


def replay(*arguments: str | Path, report: Path) -> Result:
    code = report.with_name("nothing.py")
    code.write_text("from dormouse import workflow\n\n\n@workflow\nasync def another(): ...\n")
    command = ["replay", *map(str, arguments), "--code", str(code), "--junit", str(report)]
    return CliRunner().invoke(root, command)


def test_the_others_are_replayed_all_the_same(histories: Path, tmp_path: Path) -> None:
    done = replay("--all", histories, report=tmp_path / "replay.xml")
    assert done.exit_code == 6, "the workflows of the other file are not in this code"
    assert "bad.sqlite unreadable" in done.stdout
    assert "1 of the files cannot be read" in done.stdout
    suite = ET.parse(tmp_path / "replay.xml").getroot()
    assert suite.get("errors") == "1"
    assert suite.find("testcase[@name='bad.sqlite']/error") is not None
    assert int(suite.get("tests", "0")) > 1


def test_what_came_of_each_file_is_told_on_the_way(histories: Path, tmp_path: Path) -> None:
    done = replay("--all", histories, report=tmp_path / "replay.xml")
    first, second = done.stderr.splitlines()
    assert first == f"1/2 {histories}/bad.sqlite: 1 unreadable"
    assert second.startswith(f"2/2 {histories}/good.sqlite: ")
    assert second.endswith(" missing")


def test_files_of_folders_in_the_folder_count_but_not_of_hidden_ones(histories: Path, tmp_path: Path) -> None:
    for folder in ("2026/05", ".cache"):
        (histories / folder).mkdir(parents=True)
        make(histories / folder / "orders.sqlite")
    done = replay("--all", histories, report=tmp_path / "replay.xml")
    assert "2026/05/orders.sqlite" in done.stderr
    assert ".cache" not in done.stderr


def test_the_only_file_of_a_folder_that_cannot_be_read_is_told_to_ci(histories: Path, tmp_path: Path) -> None:
    (histories / "good.sqlite").unlink()
    done = replay("--all", histories, report=tmp_path / "replay.xml")
    assert done.exit_code == 4
    assert ET.parse(tmp_path / "replay.xml").getroot().get("errors") == "1"


def test_a_folder_without_a_file_is_no_gate_that_stands_open(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = replay("--all", tmp_path / "empty", report=tmp_path / "replay.xml")
    assert done.exit_code != 0
    assert "no file *.sqlite in the folder" in str(done.exception) + done.stderr
    assert not (tmp_path / "replay.xml").exists()


def test_a_folder_is_named_with_all(histories: Path, tmp_path: Path) -> None:
    done = replay(histories, report=tmp_path / "replay.xml")
    assert done.exit_code == 2
    assert f"write --all {histories}" in done.stderr.replace("\n", " ")


def test_nothing_to_replay_is_a_wrong_command_line(tmp_path: Path) -> None:
    done = replay(report=tmp_path / "replay.xml")
    assert done.exit_code == 2
    assert "--all DIR" in done.stderr


def test_a_file_alone_that_cannot_be_read_is_an_error_at_once(histories: Path, tmp_path: Path) -> None:
    done = replay(histories / "bad.sqlite", report=tmp_path / "replay.xml")
    assert done.exit_code != 0
    assert "bad.sqlite" in str(done.exception) + done.stderr
    assert not (tmp_path / "replay.xml").exists()
