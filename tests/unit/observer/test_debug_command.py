"""What does a person see who types `dormouse debug`, and what when something is wrong?"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from bdb import Breakpoint
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from dormouse._commands import root
from dormouse.testing import Durable
from dormouse_observer.code import workflows_of

CODE = """\
from dormouse import Signal, activity, workflow

go = Signal("go", str)


@activity
async def double(number: int) -> int:
    return 2 * number


@workflow
async def debugged_part(number: int) -> int:
    return await double(number)


@workflow
async def debugged(number: int) -> int:
    first = await double(number)
    print("doubled to", first)
    second = await debugged_part(first)
    word = await go.receive()
    return second + len(word)
"""
ENDS = """\
import asyncio

from dormouse import activity, workflow


@activity
async def double(number: int) -> int:
    return 2 * number


@workflow
async def fails(number: int) -> int:
    await double(number)
    return 1 // number


@workflow
async def ends(number: int) -> int:
    doubled = await double(number)
    return doubled + 1


async def beside(number: int) -> int:
    return await double(number)


async def between(many: list[int], way: str) -> None:
    match way:
        case "gather":
            await asyncio.gather(*[beside(one) for one in many])
        case "group":
            async with asyncio.TaskGroup() as group:
                for one in many:
                    group.create_task(beside(one))
        case "wait":
            await asyncio.wait([asyncio.ensure_future(beside(one)) for one in many])
        case "wait_for":
            await asyncio.wait_for(beside(many[0]), 60)
        case "shield":
            await asyncio.shield(beside(many[0]))
        case "task":
            await asyncio.ensure_future(beside(many[0]))
    many.append(3)


@workflow
async def besides(way: str) -> None:
    many = [1, 2]
    await asyncio.gather(between(many, way))
    many.clear()


@workflow
async def mends(number: int) -> int:
    doubled = await asyncio.gather(divided(number), divided(1))
    try:
        await asyncio.gather(divided(number - 1))
    except ZeroDivisionError:
        doubled.append(number)
    return sum(doubled)


async def divided(number: int) -> int:
    doubled = await double(number)
    return doubled // number
"""
WAYS = ("gather", "group", "wait", "wait_for", "shield", "task")
OTHER = CODE.replace("    first = await double(number)\n", "    first = len(await go.receive())\n")
RAISING = CODE.replace("    first = await double(number)\n", "    first = 1 // 0\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code, what was recorded with it, and other code."""
    folder = tmp_path_factory.mktemp("debugged")
    for name, text in {
        "debugged_code": CODE,
        "debugged_ends": ENDS,
        "debugged_other": OTHER,
        "debugged_raising": RAISING,
    }.items():
        (folder / f"{name}.py").write_text(text)

    async def record(code: str, **started: tuple[str, object]) -> Path:
        durable = Durable(folder)
        async with durable.engine(workflows_of(str(folder / code)).values()) as engine:
            for execution, (workflow, given) in started.items():
                await engine.start(workflow, given, id=execution)
            await engine.sleep(1)
        return durable.database

    asyncio.run(record("debugged_code.py", main=("debugged", 21))).rename(folder / "recorded.sqlite")
    besides = {way: ("besides", way) for way in WAYS}
    ended = record("debugged_ends.py", fails=("fails", 0), ends=("ends", 21), mends=("mends", 1), **besides)
    asyncio.run(ended).rename(folder / "ended.sqlite")
    return folder


@dataclass(frozen=True)
class Ended:
    exit_code: object
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Person:
    """Types commands. Not click's runner, which has pdb ask the real terminal."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def run(self, *command: str, typed: str = "") -> Ended:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            root(command, prog_name="dormouse")
        return Ended(ended.value.code, *self.capture.readouterr())

    def debugs(self, *arguments: str, typed: str = "", code: str = "debugged_code") -> Ended:
        file, module = str(self.folder / "recorded.sqlite"), str(self.folder / f"{code}.py")
        return self.run("debug", file, "--code", module, *arguments, typed=typed)

    def sees(self, *arguments: str, typed: str, code: str = "debugged_code") -> list[str]:
        """What is printed after each prompt."""
        ended = self.debugs("--execution", "main", *arguments, typed=typed, code=code)
        assert (ended.exit_code, ended.stderr) == (0, "")
        return [answer.strip() for answer in ended.stdout.split("(Pdb) ")]

    def position(self, kind: str) -> str:
        """Where the first event of a kind is."""
        events = json.loads(self.run("history", str(self.folder / "recorded.sqlite"), "main", "-o", "json").stdout)
        return str(next(event["position"] for event in events["events"] if event["kind"] == kind))


@pytest.fixture
def person(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(folder, monkeypatch, capsys)


def test_a_session_begins_in_the_first_line_and_goes_on_over_awaits(person: Person) -> None:
    beginning, after, value, end, _ = person.sees(typed="next\np first\ncontinue\n")
    assert "-> first = await double(number)" in beginning
    assert '-> print("doubled to", first)' in after
    assert value == "42"
    assert end.splitlines()[:2] == [
        "doubled to 42",
        "the end of the log: execution 'main' is Open, and waits in debugged_code.py:21",
    ]


def test_at_the_end_of_the_log_the_variables_can_be_looked_at_until_one_goes_back_or_quits(person: Person) -> None:
    typed = "continue\np first, second\nnext\nne\nevent\nback\nq\n"
    _, end, values, no_next, no_event, event, back, _ = person.sees(typed=typed)
    assert "execution 'main' is Open, and waits in debugged_code.py:21" in end
    assert end.splitlines()[-1] == "-> word = await go.receive()"
    assert values == "(42, 84)"
    assert no_next.startswith("*** nothing is left to run; `back`, `event N`, `restart`, or `quit`")
    assert no_event == "*** 9 is the last event"
    assert event.startswith("event 9 ChildCompleted")
    assert "> event 9 ChildCompleted" in back


@pytest.mark.parametrize(
    ("asked", "how", "line", "value"),
    [
        ("fails", "Failed, and has raised", "return 1 // number", "0"),
        ("ends", "Completed, and has ended", "return doubled + 1", "42"),
    ],
)
def test_what_a_closed_execution_left_can_be_looked_at(
    folder: Path, person: Person, asked: str, how: str, line: str, value: str
) -> None:
    ended = person.run(
        *("debug", str(folder / "ended.sqlite"), "--code", str(folder / "debugged_ends.py"), "--execution", asked),
        typed=f"continue\np {'number' if asked == 'fails' else 'doubled'}\nq\n",
    )
    _, end, printed, _ = ended.stdout.split("(Pdb) ")
    assert f"execution {asked!r} is {how} in debugged_ends.py:" in end
    assert end.splitlines()[-1] == f"-> {line}"
    assert printed.strip() == value


@pytest.mark.parametrize("way", WAYS)
def test_up_goes_from_what_runs_beside_the_workflow_to_what_waits_for_it(
    folder: Path, person: Person, way: str
) -> None:
    command = ("debug", str(folder / "ended.sqlite"), "--code", str(folder / "debugged_ends.py"), "--execution", way)
    events = json.loads(person.run("history", str(folder / "ended.sqlite"), way, "-o", "json").stdout)["events"]
    at = str(next(event["position"] for event in events if event["kind"] == "ActivityCompleted"))
    typed = "p number\nup\np many, way\nup\np many\nq\n"
    stop, number, _, between, _, many, _ = person.run(*command, "--break-at", at, typed=typed).stdout.split("(Pdb) ")
    assert stop.splitlines()[-1] == "-> return await double(number)"
    assert (number.strip(), between.strip(), many.strip()) == ("1", f"([1, 2], {way!r})", "[1, 2]")
    shown = json.loads(person.run(*command, "--break-at", at, "--print-variables", "-o", "json").stdout)["frames"]
    assert [one["function"] for one in shown] == ["besides", "between", "beside"]


def at_an_answer(person: Person, execution: str, number: int = 0) -> tuple[str, ...]:
    """The command that stops at an answer that was recorded with ENDS."""
    file, code = str(person.folder / "ended.sqlite"), str(person.folder / "debugged_ends.py")
    events = json.loads(person.run("history", file, execution, "-o", "json").stdout)["events"]
    at = [event["position"] for event in events if event["kind"] == "ActivityCompleted"][number]
    return ("debug", file, "--code", code, "--execution", execution, "--break-at", str(at))


def stops_of(person: Person, command: tuple[str, ...], *typed: str) -> list[str]:
    """The last line that each command prints: where it has stopped."""
    ended = person.run(*command, typed="\n".join([*typed, "q\n"]))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "Internal" not in ended.stdout
    return [answer.strip().rpartition("\n")[2] for answer in ended.stdout.split("(Pdb) ")[1:-1]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("leaves", ["next", "return", "until"])
def test_the_end_of_a_task_leads_to_the_next_line_of_who_waits_for_it(person: Person, way: str, leaves: str) -> None:
    stops = stops_of(person, at_an_answer(person, way), leaves, "p many", "next", "next", "p many")
    assert stops[:3] == ["-> many.append(3)", "[1, 2]", "-> many.clear()"]
    assert stops[4] == "[]"


def test_next_after_up_stays_in_who_waits(person: Person) -> None:
    stops = stops_of(person, at_an_answer(person, "gather"), "up", "next", "up", "next")
    assert stops[1::2] == ["-> many.append(3)", "-> many.clear()"]


def test_a_step_to_the_end_of_a_task_and_next_lead_to_who_waits_for_it(person: Person) -> None:
    stops = stops_of(person, at_an_answer(person, "mends"), "next", "step", "next")
    assert stops == ["-> return doubled // number", "-> return doubled // number", "-> try:"]


def test_what_a_task_raises_is_met_where_it_is_awaited(person: Person) -> None:
    typed = ("next", "next", "next", "next", "next", "next")
    stops = stops_of(person, at_an_answer(person, "mends", 2), *typed)
    # pdb stops once more where an exception comes through, beginning with Python 3.13.
    assert [stop for stop, _ in groupby(stops)][:4] == [
        "-> return doubled // number",
        "-> await asyncio.gather(divided(number - 1))",
        "-> except ZeroDivisionError:",
        "-> doubled.append(number)",
    ]


@pytest.fixture
def no_breakpoints() -> Iterator[None]:
    """pdb keeps those of one session for the next."""
    yield
    Breakpoint.clearBreakpoints()


@pytest.mark.usefixtures("no_breakpoints")
@pytest.mark.parametrize("way", WAYS)
def test_with_a_breakpoint_continue_stops_there_alone(person: Person, way: str) -> None:
    code = person.folder / "debugged_ends.py"
    line = 1 + code.read_text().splitlines().index("    many.clear()")
    stops = stops_of(person, at_an_answer(person, way), f"b {code}:{line}", "continue", "continue", "p many")
    assert stops[1:] == ["-> many.clear()", "-> many.clear()", "[]"]


def test_one_goes_into_a_child_and_back_to_its_parent(person: Person) -> None:
    at = person.position("ChildStarted")
    said = person.sees("--break-at", at, typed="child\np number\nparent\nq\n")
    assert "-> second = await debugged_part(first)" in said[0]
    assert "-> return await double(number)" in said[1]
    assert said[2] == "42"
    assert "-> first = await double(number)" in said[3]


def test_code_that_goes_another_way_behind_the_stop_is_told_with_where_it_stands(person: Person) -> None:
    said = person.sees(typed="continue\np number\nq\n", code="debugged_other")
    told, log, code, *suggestion, place, line = said[1].splitlines()
    assert told == "the code goes another way than the log:"
    assert log.startswith("- log   ActivityScheduled double[21]")
    assert log.endswith("(debugged_code.py:18)")
    assert code.startswith("+ code  nothing more")
    assert "each start" not in "".join(suggestion)
    assert place.endswith("debugged_other.py(18)debugged()")
    assert line == "-> first = len(await go.receive())"
    assert said[2] == "21"


def test_what_cannot_be_is_said_and_the_session_goes_on(person: Person) -> None:
    typed = "back\nevent x\nevent 9999\nchild nobody\nparent\nopen('x')\np number\nq\n"
    _, *said, number, _ = person.sees(typed=typed)
    assert said[0] == "*** 1 is the first event"
    assert said[1] == "*** 'x' is no event; `dormouse history` shows their positions"
    assert said[2].startswith("*** execution 'main' has no event 9999")
    assert said[3] == "*** no child 'nobody'; children: main.2"
    assert said[4] == "*** no workflow has called this one"
    assert "a workflow must not touch files itself" in said[5]
    assert number == "21"


def test_the_end_of_the_input_ends_the_session(person: Person) -> None:
    assert person.debugs("--execution", "main", typed="").exit_code == 0


def test_the_last_event_shows_where_the_code_waits_and_what_it_has(person: Person) -> None:
    said = person.sees(typed="ne\nne\nne\nne\nne\np first\nw\nq\n")
    assert said[5].endswith("is the last event")
    assert said[6] == "42"
    assert "-> second = await debugged_part(first)" in said[4]


def test_a_breakpoint_in_the_code_stops_once_the_event_is_reached(person: Person, folder: Path) -> None:
    text = CODE.replace('    print("doubled to", first)\n', "    breakpoint()\n    found = first\n")
    (folder / "debugged_breaking.py").write_text(text)
    said = person.sees(typed="continue\np first\nq\n", code="debugged_breaking")
    assert "-> found = first" in said[1]
    assert said[2] == "42"


def test_a_breakpoint_on_the_way_to_the_event_does_not_stop(person: Person, folder: Path) -> None:
    text = CODE.replace("    first = await double(number)\n", "    breakpoint()\n    first = await double(number)\n")
    (folder / "debugged_early.py").write_text(text)
    at = person.position("ActivityCompleted")
    beginning, value, _ = person.sees("--break-at", at, typed="p number\nq\n", code="debugged_early")
    assert "> event" in beginning
    assert value == "21"


def test_another_debugger_gets_the_users_frame(person: Person, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "other_debugger.py").write_text(
        "import sys\nseen = []\n\ndef stop():\n"
        "    frame = sys._getframe(1)\n"
        "    while 'number' not in frame.f_locals:\n        frame = frame.f_back\n"
        "    seen.append((frame.f_code.co_name, frame.f_locals['number']))\n"
    )
    monkeypatch.syspath_prepend(folder)
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
    person: Person, folder: Path, code: str, exit_code: int, said: str
) -> None:
    (folder / "debugged_absent.py").write_text(CODE.replace("def debugged(", "def something_else("))
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


def test_a_file_that_is_not_ours_is_refused(person: Person, folder: Path) -> None:
    for name in ("debugged_code.py", "nowhere.sqlite"):
        command = ["debug", str(folder / name), "--code", str(folder / "debugged_code.py"), "--execution", "main"]
        assert person.run(*command).exit_code == 4
