"""Does `dormouse export` hand on what it says, never at the original's cost, and refuse what it cannot copy?"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from observed_files import describe, make

from dormouse._commands import root
from dormouse_observer.manifest import Manifest, manifest_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made") / "orders.sqlite")


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    """A pulled file, with its manifest."""
    copy = tmp_path / "orders.sqlite"
    copy.write_bytes(made.read_bytes())
    describe(copy)
    manifest = manifest_of(copy)
    told = json.loads(manifest.read_text()) | {"sha256": hashlib.sha256(copy.read_bytes()).hexdigest()}
    manifest.write_text(json.dumps(told))
    return copy


def run(*command: object) -> Result:
    return CliRunner().invoke(root, [str(part) for part in command])


def manifest(file: Path) -> Manifest:
    return msgspec.json.decode(manifest_of(file).read_bytes(), type=Manifest)


def state_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_whole_copy_has_all_rows_and_says_where_it_is_from(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "whole.sqlite"
    before = state_of(tmp_path)
    ended = run("export", file, "-o", target)
    assert (ended.exit_code, "whole, every page checked" in ended.stdout) == (0, True), ended.output
    told = manifest(target)
    assert (told.namespace, told.name, told.position, told.redacted) == ("shop", "orders", "3/41", False)
    assert told.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert target.stat().st_mode & 0o777 == 0o444
    assert run("diff", file, target).exit_code == 0
    after = state_of(tmp_path)
    assert set(after) - set(before) == {"whole.sqlite", "whole.sqlite.json"}
    assert before.items() <= after.items()


def test_a_redacted_copy_keeps_its_position_but_not_its_place(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "redacted.sqlite"
    ended = run("export", file, "--redact", "-o", target)
    assert (ended.exit_code, "placeholders in the place of all values" in ended.stdout) == (0, True), ended.output
    told = manifest(target)
    assert (told.position, told.redacted, told.source) == ("3/41", True, "")
    assert told.identity.startswith("redacted-")
    assert told.executions is not None
    assert told.executions.open + told.executions.closed == 12
    for verb in ("list", "tree"):
        assert run(verb, target).exit_code == 0
    assert "kettle" not in run("history", target, "agent-1", "-o", "json").stdout
    named = run("export", file, "--redact", "--keep-names", "-o", tmp_path / "named.sqlite")
    assert named.exit_code == 0
    assert '"messages"' in run("history", tmp_path / "named.sqlite", "agent-1", "-o", "json").stdout


def test_a_file_that_was_never_pulled_is_told_as_what_it_is(made: Path, tmp_path: Path) -> None:
    assert run("export", made, "-o", tmp_path / "copy.sqlite").exit_code == 0
    told = manifest(tmp_path / "copy.sqlite")
    assert (told.name, told.namespace, told.position, told.source) == ("orders", "", "", "orders.sqlite")


def test_nothing_is_ever_replaced(file: Path, tmp_path: Path) -> None:
    for there in ("copy.sqlite", "copy.sqlite.json", "copy.sqlite-wal"):
        (tmp_path / there).write_text("mine")
        before = state_of(tmp_path)
        refused = run("export", file, "--redact", "-o", tmp_path / "copy.sqlite")
        assert (refused.exit_code, f"{there} is there already" in refused.stderr) == (1, True)
        assert state_of(tmp_path) == before
        (tmp_path / there).unlink()


def test_what_has_changed_since_it_was_pulled_is_not_passed_on_as_that(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM execution")
        connection.commit()
    refused = run("export", file, "-o", tmp_path / "copy.sqlite")
    assert (refused.exit_code, "is not what was pulled" in refused.stderr) == (1, True)
    assert not (tmp_path / "copy.sqlite").exists()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:30_000])


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE dormouse_meta SET value = '999' WHERE key = 'engine_schema'")
        connection.commit()


def _foreign(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE note (text)")


@pytest.mark.parametrize(
    ("change", "exit_code", "said"),
    [
        (Path.unlink, 4, "there is no file"),
        (lambda file: file.write_text("no database, but as long as one could be" * 40), 4, "is no SQLite file"),
        (_cut, 4, "malformed"),
        (_newer, 1, "newer Dormouse"),
        (_foreign, 4, "not one of Dormouse"),
    ],
    ids=["missing", "text", "cut short", "newer", "somebody else's"],
)
def test_what_cannot_be_redacted_is_told_and_leaves_nothing(
    file: Path, tmp_path: Path, change: object, exit_code: int, said: str
) -> None:
    assert callable(change)
    change(file)
    manifest_of(file).unlink()
    before = state_of(tmp_path)
    refused = run("export", file, "--redact", "-o", tmp_path / "copy.sqlite")
    assert (refused.exit_code, said in refused.stderr) == (exit_code, True), refused.stderr
    assert state_of(tmp_path) == before


def test_a_wrong_command_line_is_told(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite"
    for options, said in (
        (("-o", target, "--keep-names"), "only with --redact"),
        (("-o", target, "--at", "3/41"), "not a file"),
        ((), "Missing option '-o'"),
    ):
        refused = run("export", file, *options)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
    missing = run("export", file, "-o", tmp_path / "nowhere" / "copy.sqlite")
    assert (missing.exit_code, "there is no folder" in missing.stderr) == (1, True)
    assert run("open", file, "--no-browser", "--at", "3/41").exit_code == 2


def test_a_folder_that_takes_no_files_is_named(file: Path) -> None:
    # Nobody may make a file there, not even root.
    refused = run("export", file, "--redact", "-o", "/proc/self/copy.sqlite")
    assert (refused.exit_code, "choose a folder where this user may write" in refused.stderr) == (1, True)
    refused = run("report", file, "-o", "/proc/self/report.tar.gz")
    assert (refused.exit_code, "/proc/self/report.tar.gz: " in refused.stderr) == (2, True)
