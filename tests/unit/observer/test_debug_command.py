"""What may be asked of `dormouse debug`, and what does it say when something is wrong?"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from debugging_person import CODE, Person
from observed_files import long_history

from dormouse.commands.kubectl_completion import offered
from dormouse.testing import Durable
from dormouse_observer.code import workflows_of


def test_another_debugger_gets_the_users_frame(person: Person, debugged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (debugged / "other_debugger.py").write_text(
        "import sys\nseen = []\n\ndef stop():\n"
        "    frame = sys._getframe(1)\n"
        "    while 'number' not in frame.f_locals:\n        frame = frame.f_back\n"
        "    seen.append((frame.f_code.co_name, frame.f_locals['number']))\n"
    )
    monkeypatch.syspath_prepend(debugged)
    monkeypatch.setenv("PYTHONBREAKPOINT", "other_debugger.stop")
    at = person.position("ActivityCompleted")
    ended = person.debugs("--execution", "main", "--break-at", at)
    assert (ended.exit_code, ended.stdout) == (0, "doubled to 42\n")
    assert sys.modules["other_debugger"].seen == [("debugged", 21)]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("no_such_debugger.set_trace", "No module named 'no_such_debugger'"),
        ("pdb.set_no_trace", "module 'pdb' has no attribute 'set_no_trace'"),
    ],
)
def test_a_debugger_that_is_not_there_is_refused_before_anything_runs(
    person: Person, monkeypatch: pytest.MonkeyPatch, named: str, said: str
) -> None:
    monkeypatch.setenv("PYTHONBREAKPOINT", named)
    ended = person.debugs("--execution", "main")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"PYTHONBREAKPOINT names '{named}', and {said}; install it here" in ended.stderr
    assert person.debugs("--execution", "main", "--print-variables").exit_code == 0


def test_variables_are_printed_as_json(person: Person) -> None:
    at = person.position("ActivityCompleted")
    ended = person.debugs("--execution", "main", "--break-at", at, "--print-variables", "-o", "json")
    found = json.loads(ended.stdout)
    assert found["event"]["kind"] == "ActivityCompleted"
    assert found["frames"] == [{"function": "debugged", "source": "debugged_code.py:18", "variables": {"number": "21"}}]


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("debugged_other", 1, "+ code  nothing more"),
        ("debugged_raising", 5, "+ code  raised ZeroDivisionError"),
        ("debugged_absent", 6, "the code has no workflow 'debugged'"),
    ],
)
def test_code_that_does_not_come_to_the_event_ends_it_as_a_replay_would(
    person: Person, debugged: Path, code: str, exit_code: int, said: str
) -> None:
    (debugged / "debugged_absent.py").write_text(CODE.replace("def debugged(", "def something_else("))
    at = person.position("ActivityCompleted")
    ended = person.debugs("--execution", "main", "--break-at", at, code=code)
    assert ended.exit_code == exit_code
    assert said in ended.stderr


def test_wrong_input_is_refused_with_what_to_do(person: Person) -> None:
    for arguments, exit_code, said in [
        (("--execution", "nobody"), 2, "there is no execution 'nobody' in"),
        (("--execution", "main", "--break-at", "9999"), 1, "has no event 9999: its newest run has those from 1 to 9"),
        (("--execution", "main", "--break-at", "9999"), 1, "recorded.sqlite main` lists them by their positions"),
        (("--execution", "main", "-o", "json"), 2, "-o is for --print-variables"),
    ]:
        ended = person.debugs(*arguments)
        assert (ended.exit_code, said in ended.stderr) == (exit_code, True), ended.stderr
    assert person.debugs("--execution", "main", code="nowhere").exit_code == 2


def test_a_file_that_is_not_ours_is_refused(person: Person, debugged: Path) -> None:
    for name in ("debugged_code.py", "nowhere.sqlite"):
        command = ["debug", str(debugged / name), "--code", str(debugged / "debugged_code.py"), "--execution", "main"]
        assert person.run(*command).exit_code == 4


def test_of_a_file_with_one_execution_the_id_may_be_left_out(person: Person, debugged: Path, tmp_path: Path) -> None:
    code = debugged / "debugged_ends.py"
    alone = Durable(tmp_path)
    assert alone.run(workflows_of(str(code))["ends"], 21, id="alone") == 43
    file = str(alone.database)
    found = person.run("debug", file, "--code", str(code), "--break-at", "3", "--print-variables", "-o", "json")
    assert json.loads(found.stdout)["frames"][0]["function"] == "ends"
    forked = person.run("fork", file, "--at", "3", "-o", str(tmp_path / "again.sqlite"))
    assert (forked.exit_code, "alone up to event 3" in forked.stdout) == (0, True)
    assert offered(["debug", file, "--break-at", "4"]).splitlines() == ["4\tExecutionCompleted", ":4"]


def test_of_several_executions_they_are_listed_and_of_none_it_is_said(
    person: Person, debugged: Path, tmp_path: Path
) -> None:
    several = person.debugs()
    assert several.exit_code == 2
    assert "recorded.sqlite has several executions; name one by --execution: main.2, main\n" in several.stderr
    unforked = person.run("fork", str(debugged / "ended.sqlite"), "--at", "3", "-o", str(tmp_path / "no.sqlite"))
    assert (unforked.exit_code, "ended.sqlite has several executions" in unforked.stderr) == (2, True)
    assert offered(["debug", str(debugged / "recorded.sqlite"), "--break-at", ""]) == ":4"
    file = long_history(tmp_path / "long.sqlite", 1)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(
            "INSERT INTO execution (key, id, workflow, status, seed, request, started_at) "
            "VALUES (?, ?, 'agent', 'Open', x'00', x'00', 1)",
            [(key, f"e-{key}") for key in range(2, 40)],
        )
    many = person.run("debug", str(file), "--code", str(debugged / "debugged_code.py"))
    assert "e-39, e-38, " in many.stderr
    assert f"e-20 ... (`dormouse list {file}` shows all)" in many.stderr
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM execution")
    none = person.run("debug", str(file), "--code", str(debugged / "debugged_code.py"))
    assert (none.exit_code, f"{file} has no execution\n" in none.stderr) == (2, True)


def test_a_breakpoint_that_a_replay_comes_to_is_refused_with_who_stops_there(
    person: Person, debugged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CODE.replace("    first = await double(number)\n", "    breakpoint()\n    first = await double(number)\n")
    (debugged / "debugged_stopping.py").write_text(text)
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    command = (str(debugged / "recorded.sqlite"), "--code", str(debugged / "debugged_stopping.py"))
    # A process of its own: here pytest has taken over what a breakpoint does.
    replay = [str(Path(sys.executable).with_name("dormouse")), "replay", *command, "--execution", "main"]
    replayed = subprocess.run(replay, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert replayed.returncode == 5, replayed.stderr
    assert "`dormouse debug FILE --code CODE` goes over its log again, and stops at a breakpoint()" in replayed.stdout
    assert ".pdbrc" not in replayed.stdout
    assert person.run("debug", *command, "--execution", "main", typed="continue\np number\nq\n").exit_code == 0
