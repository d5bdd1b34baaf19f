"""Does `dormouse debug` go from what asyncio runs beside the workflow to what waits for it?"""

from __future__ import annotations

import json
from bdb import Breakpoint
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from debugging_person import WAYS, Person


@pytest.mark.parametrize("way", WAYS)
def test_up_goes_from_what_runs_beside_the_workflow_to_what_waits_for_it(
    debugged: Path, person: Person, way: str
) -> None:
    file, code = str(debugged / "ended.sqlite"), str(debugged / "debugged_ends.py")
    command = ("debug", file, "--code", code, "--execution", way)
    events = json.loads(person.run("history", file, way, "-o", "json").stdout)["events"]
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
