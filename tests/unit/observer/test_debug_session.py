"""What does a person see who goes through an execution at the prompt of `dormouse debug`?"""

from __future__ import annotations

from pathlib import Path

import pytest
from debugging_person import CODE, Person


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
    debugged: Path, person: Person, asked: str, how: str, line: str, value: str
) -> None:
    ended = person.run(
        *("debug", str(debugged / "ended.sqlite"), "--code", str(debugged / "debugged_ends.py"), "--execution", asked),
        typed=f"continue\np {'number' if asked == 'fails' else 'doubled'}\nq\n",
    )
    _, end, printed, _ = ended.stdout.split("(Pdb) ")
    assert f"execution {asked!r} is {how} in debugged_ends.py:" in end
    assert end.splitlines()[-1] == f"-> {line}"
    assert printed.strip() == value


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


def test_a_breakpoint_in_the_code_stops_once_the_event_is_reached(person: Person, debugged: Path) -> None:
    text = CODE.replace('    print("doubled to", first)\n', "    breakpoint()\n    found = first\n")
    (debugged / "debugged_breaking.py").write_text(text)
    said = person.sees(typed="continue\np first\nq\n", code="debugged_breaking")
    assert "-> found = first" in said[1]
    assert said[2] == "42"


def test_a_breakpoint_on_the_way_to_the_event_does_not_stop(person: Person, debugged: Path) -> None:
    text = CODE.replace("    first = await double(number)\n", "    breakpoint()\n    first = await double(number)\n")
    (debugged / "debugged_early.py").write_text(text)
    at = person.position("ActivityCompleted")
    beginning, value, _ = person.sees("--break-at", at, typed="p number\nq\n", code="debugged_early")
    assert "> event" in beginning
    assert value == "21"
