"""Does one bad file in a folder hide what came of the others? `dormouse replay` as a gate for CI."""

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


def replay(*paths: Path, report: Path) -> Result:
    code = report.with_name("nothing.py")
    code.write_text("from dormouse import workflow\n\n\n@workflow\nasync def another(): ...\n")
    command = ["replay", *map(str, paths), "--code", str(code), "--junit", str(report)]
    return CliRunner().invoke(root, command)


def test_of_several_files_the_others_are_replayed_all_the_same(histories: Path, tmp_path: Path) -> None:
    done = replay(histories, report=tmp_path / "replay.xml")
    assert done.exit_code >= 4
    assert "bad.sqlite unreadable" in done.stdout
    assert "1 of the files cannot be read" in done.stdout
    suite = ET.parse(tmp_path / "replay.xml").getroot()
    assert suite.get("errors") == "1"
    assert suite.find("testcase[@name='bad.sqlite']/error") is not None
    assert int(suite.get("tests", "0")) > 1


def test_the_only_file_that_cannot_be_read_is_an_error_at_once(histories: Path, tmp_path: Path) -> None:
    done = replay(histories / "bad.sqlite", report=tmp_path / "replay.xml")
    assert done.exit_code != 0
    assert "bad.sqlite" in str(done.exception) + done.stderr
    assert not (tmp_path / "replay.xml").exists()
