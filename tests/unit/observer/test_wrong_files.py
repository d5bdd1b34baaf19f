"""What is a person told who names a wrong file, a wrong folder, or a copy that was redacted?"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from observed_files import long_history

from dormouse import activity, workflow
from dormouse._commands import root
from dormouse.commands.copies import why_not_to_run, why_nothing_goes_on
from dormouse.testing import Durable
from dormouse_observer.web.files import files_row
from dormouse_observer.web.library import Library

CODE = """\
from dormouse import activity, workflow


@activity
async def measure(item: str) -> int:
    return len(item)


@workflow
async def measured(item: str) -> int:
    return 2 * await measure(item)
"""


@activity
async def measure(item: str) -> int:
    return len(item)


@workflow
async def measured(item: str) -> int:
    return 2 * await measure(item)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, code that goes on with it, and where a person works."""
    durable = Durable(tmp_path)
    assert durable.run(measured, "tea", id="one") == 6
    durable.database.rename(tmp_path / "orders.sqlite")
    (tmp_path / "measuring.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str) -> Result:
    return CliRunner().invoke(root, command)


def told(*command: str, code: int) -> str:
    ran = run(*command)
    assert (ran.exit_code, ran.stderr[:6]) == (code, "Error:" if code != 2 else "Usage:"), ran.output
    return ran.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("replay", "for-support.sqlite", "--code", "measuring.py"),
        ("debug", "for-support.sqlite", "--code", "measuring.py", "--execution", "one"),
        ("debug", "for-support.sqlite", "--code", "measuring.py", "--execution", "one", "--print-variables"),
        ("fork", "for-support.sqlite", "--execution", "one", "--at", "2", "-o", "fork.sqlite"),
    ],
)
def test_placeholders_are_not_taken_for_values(folder: Path, command: tuple[str, ...]) -> None:
    assert run("replay", "orders.sqlite", "--code", "measuring.py").exit_code == 0
    assert run("export", "orders.sqlite", "--redact", "-o", "for-support.sqlite").exit_code == 0
    (folder / "for-support.sqlite.json").unlink()  # the file itself says so
    message = told(*command, code=4)
    assert "for-support.sqlite was redacted: it holds placeholders instead of values" in message
    assert "ask whoever exported it for the original" in message
    assert not (folder / "fork.sqlite").exists()


@pytest.mark.parametrize(
    "command",
    [("run", "measuring.py", "--database", "for-support.sqlite"), ("retry", "for-support.sqlite", "one")],
)
def test_who_wants_a_redacted_copy_to_go_on_is_told_what_it_is_good_for(folder: Path, command: tuple[str, ...]) -> None:
    assert run("export", "orders.sqlite", "--redact", "-o", "for-support.sqlite").exit_code == 0
    message = told(*command, code=1)
    assert "for-support.sqlite was redacted" in message
    assert "look at it with `dormouse list`, `show`, `history`, `tree` and `open`" in message
    assert "dormouse fork" not in message
    assert "dormouse run" not in message
    (folder / "for-support.sqlite").chmod(0o644)
    assert why_not_to_run(Path("for-support.sqlite")) == why_nothing_goes_on(Path("for-support.sqlite"))


def test_who_wants_a_copy_to_go_on_is_told_to_fork_it_and_who_has_a_file_to_run_it(folder: Path) -> None:
    assert "`dormouse run MODULE --database orders.sqlite`" in told("retry", "orders.sqlite", "one", code=1)
    (folder / "orders.sqlite").chmod(0o444)
    for command in (("retry", "orders.sqlite", "one"), ("run", "measuring.py", "--database", "orders.sqlite")):
        message = told(*command, code=1)
        assert "orders.sqlite is read-only" in message
        assert "Go on from an event with `dormouse fork`" in message
    assert why_not_to_run(Path("made-when-it-is-run.sqlite")) is None
    (folder / "notes.sqlite").write_text("no database")
    assert why_not_to_run(Path("notes.sqlite")) is None, "SQLite says what is wrong with it"


def test_among_others_a_redacted_file_is_no_match(folder: Path) -> None:
    assert run("export", "orders.sqlite", "--redact", "-o", "for-support.sqlite").exit_code == 0
    ran = run("replay", "--all", str(folder), "--code", "measuring.py")
    assert ran.exit_code == 4
    assert "was redacted" in ran.stdout
    assert "1 of the files cannot be read" in ran.stdout


@pytest.mark.parametrize("verb", [("list",), ("history", "one"), ("show", "one")])
def test_what_is_wrong_with_a_file_is_told_with_what_to_do(folder: Path, verb: tuple[str, ...]) -> None:
    (folder / "notes.sqlite").write_text("no database, but a text of some length, which is none" * 100)
    (folder / "empty.sqlite").touch()
    long_history(folder / "whole.sqlite", 100)
    whole = (folder / "whole.sqlite").read_bytes()
    (folder / "cut.sqlite").write_bytes(whole[: len(whole) // 2])
    (folder / "inside").mkdir()
    name, *rest = verb
    for file, expected in {
        "notes.sqlite": "notes.sqlite is no SQLite file; name a workflow's database",
        "cut.sqlite": "cut.sqlite is damaged or cut off (database disk image is malformed); pull or copy it again",
        "empty.sqlite": "it is another file than was meant",
        "./inside": "inside is a folder; name a file in it",
    }.items():
        assert expected in told(name, file, *rest, code=4)
    assert "'.' is no file here, no address, and no name" in told(name, ".", *rest, code=2)


def test_a_bad_file_of_a_folder_is_listed_beside_the_good_ones(folder: Path) -> None:
    bad = folder / "bad.sqlite"
    bad.write_text("no database, but a text of some length, which is none" * 100)
    library = Library([bad, folder / "orders.sqlite"])
    (problem,) = library.check()
    assert problem.startswith(f"{bad} is no SQLite file")
    assert files_row(library, 0).unreadable == problem
    assert files_row(library, 1).counts == {"Completed": 1}
    library.close()


@pytest.mark.parametrize("verb", ["show", "debug", "fork"])
def test_a_wrong_id_names_the_file_to_list(folder: Path, verb: str) -> None:
    del folder
    more = {
        "show": ["two"],
        "debug": ["--execution", "two", "--code", "measuring.py"],
        "fork": ["--execution", "two", "--at", "1", "-o", "fork.sqlite"],
    }[verb]
    refused = run(verb, "orders.sqlite", *more)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: there is no execution 'two' in orders.sqlite")
    assert "`dormouse list orders.sqlite` shows which there are" in refused.stderr


def test_a_fork_says_which_events_there_are_and_what_it_has_not_checked(folder: Path) -> None:
    def fork(at: str, *more: str) -> Result:
        return run("fork", "orders.sqlite", "--execution", "one", "--at", at, "-o", "fork.sqlite", *more)

    assert "has no event 99: its newest run has those from 1 to 4" in fork("99").stderr
    unchecked = fork("3", "--edit", '"garbage"')
    assert unchecked.stderr == "the answer was not checked: with --code, your workflows say whether it fits\n"
    (folder / "fork.sqlite").unlink()
    refused = fork("3", "--edit", '"garbage"', "--code", "measuring.py")
    assert (refused.exit_code, (folder / "fork.sqlite").exists()) == (1, False)
    (folder / "another.py").write_text(CODE.replace("2 * await measure(item)", "2 * await measure(item + item)"))
    another = fork("3", "--code", "another.py")
    assert "the code could not go on from there: the log says ActivityScheduled measure" in another.stderr
    assert "start tries it again" not in another.stderr, "nothing starts here"
    checked = fork("3", "--edit", "9", "--code", "measuring.py")
    assert (checked.exit_code, checked.stderr) == (0, "")


@pytest.mark.parametrize("verb", ["debug", "fork"])
def test_an_address_is_told_to_be_no_file(verb: str) -> None:
    options = ["--execution", "one", *(["--code", "."] if verb == "debug" else ["--at", "1", "-o", "fork.sqlite"])]
    message = told(verb, "http://localhost:8106", *options, code=2)
    assert "http://localhost:8106 is an address, and this needs a file; `dormouse pull` brings one" in message


def test_the_help_of_a_fork_offers_no_address() -> None:
    assert "TARGET is one of" not in run("fork", "--help").stdout
    assert "TARGET is one of" in run("history", "--help").stdout


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("nofolder", "there is no folder, file or module 'nofolder' here"),
        ("../agnt", "there is no folder or file '../agnt'"),
        ("nofile.py", "there is no file nofile.py"),
    ],
)
def test_code_that_is_not_there_is_told_in_the_readers_words(folder: Path, code: str, expected: str) -> None:
    del folder
    assert expected in told("replay", "orders.sqlite", "--code", code, code=2)


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_not_there_ends_a_replay_as_it_ends_other_verbs_and_among_others_hides_none() -> None:
    assert "there is no file absent.sqlite" in told("replay", "absent.sqlite", "--code", "measuring.py", code=4)
    among_others = run("replay", "orders.sqlite", "absent.sqlite", "--code", "measuring.py")
    assert among_others.exit_code == 4
    assert "there is no file absent.sqlite" in among_others.stdout
    assert "1 match; 1 of the files cannot be read" in among_others.stdout
    unknown = told("replay", "orders.sqlite", "--code", "measuring.py", "--execution", "two", code=2)
    assert "`dormouse list orders.sqlite` shows them" in unknown
