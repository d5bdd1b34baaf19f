"""What may be asked of `dormouse debug`, and what does it say when something is wrong?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from debugging_person import CODE, Person


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
        (("--execution", "nobody"), 1, "there is no execution 'nobody' in"),
        (("--execution", "main", "--break-at", "9999"), 1, "has no event 9999: its newest run has those from 1 to"),
        (("--execution", "main", "-o", "json"), 2, "-o is for --print-variables"),
    ]:
        ended = person.debugs(*arguments)
        assert (ended.exit_code, said in ended.stderr) == (exit_code, True), ended.stderr
    assert person.debugs("--execution", "main", code="nowhere").exit_code == 2


def test_a_file_that_is_not_ours_is_refused(person: Person, debugged: Path) -> None:
    for name in ("debugged_code.py", "nowhere.sqlite"):
        command = ["debug", str(debugged / name), "--code", str(debugged / "debugged_code.py"), "--execution", "main"]
        assert person.run(*command).exit_code == 4
