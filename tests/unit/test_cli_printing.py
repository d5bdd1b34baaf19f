"""Is it shown in words what an execution waits for, and why it is blocked?"""

from __future__ import annotations

import msgspec
import pytest

from dormouse.client import Blocked, Error, Event, Execution, Waiting
from dormouse.commands.printing import answer_text, execution_text, for_terminal, history_text, told_text

ESC = "\x1b"
DUE = "2030-01-01T00:00:00.000Z"


def shown(**more: object) -> str:
    lines = execution_text(Execution("a", "order", "Open", DUE, **more), None).splitlines()  # type: ignore[arg-type]
    return "\n".join(lines[4:])


def test_a_terminal_is_given_nothing_to_obey_but_our_colours() -> None:
    hostile = f"{ESC}]52;c;aGk={chr(7)}a\tb\nc\r{chr(0x9B)}2J{ESC}[8m{chr(0x7F)} grüße 🐭"
    assert for_terminal(hostile) == "?]52;c;aGk=?a\tb\nc??2J?[8m? grüße 🐭"
    ours = f"{ESC}[31mFailed{ESC}[0m"
    assert for_terminal(ours) == ours


def test_of_a_long_result_the_beginning_is_shown_and_the_verb_that_prints_all_of_it() -> None:
    assert shown(result=msgspec.Raw(b'{"cents":600}')) == 'result    {"cents":600}'
    line = shown(result=msgspec.Raw(b'"%s"' % (b"x" * 1000)))
    assert line == f'result    "{"x" * 199}… (all of it: dormouse result)'


@pytest.mark.parametrize(
    ("waiting", "line"),
    [
        (Waiting("timer", due_at=DUE), f"waits for  a timer, until {DUE}"),
        (Waiting("timer", due_at=DUE, source="orders.py:16"), f"waits for  a timer, until {DUE} (orders.py:16)"),
        (Waiting("signal", "reply"), "waits for  signal reply"),
        (Waiting("child", "order", id="a.3"), "waits for  the execution a.3 of order"),
        (Waiting("approval", "pay", id="0af3"), "waits for  the approval pay with the digest 0af3"),
        (
            Waiting("approval", "pay", due_at=DUE, id="0af3"),
            f"waits for  the approval pay with the digest 0af3, until {DUE}",
        ),
        (Waiting("activity", "charge", 1), "waits for  activity charge"),
        (
            Waiting("activity", "charge", 2, Error("ConnectionError", "no answer"), DUE),
            f"waits for  activity charge, attempt 2 at {DUE}, after ConnectionError: no answer",
        ),
    ],
)
def test_what_is_waited_for_is_one_line(waiting: Waiting, line: str) -> None:
    assert shown(waits_for=[waiting]) == line


def test_a_mismatch_shows_both_sides_and_the_code_that_goes_both_ways() -> None:
    blocked = Blocked(
        "NonDeterministic",
        "a long message",
        "ActivityScheduled pay as number 1",
        "orders.py:7",
        "ActivityScheduled charge as number 1",
        "orders.py:8",
        'if patched("charge-1"):\n    await charge(7)\nelse:\n    await pay(7)',
    )
    assert shown(blocked=blocked).splitlines() == [
        "blocked     NonDeterministic: the code asks for another call than the log holds",
        "log         ActivityScheduled pay as number 1 (orders.py:7)",
        "code        ActivityScheduled charge as number 1 (orders.py:8)",
        'suggestion  if patched("charge-1"):',
        "                await charge(7)",
        "            else:",
        "                await pay(7)",
    ]


def test_another_reason_to_be_blocked_is_its_message() -> None:
    blocked = Blocked("UnknownWorkflow", "the code has no workflow 'order'. Bring it back.")
    assert shown(blocked=blocked) == "blocked   UnknownWorkflow: the code has no workflow 'order'. Bring it back."


def test_who_told_an_execution_something_sees_its_status() -> None:
    assert told_text(Execution("a", "order", "Terminated", DUE), "name") == "a"
    assert told_text(Execution("a", "order", "Open", DUE), None) == "a Open"


def test_an_end_without_a_reason_is_not_followed_by_a_colon() -> None:
    assert shown(error=Error("Terminated", "")) == "error     Terminated"
    assert shown(error=Error("Terminated", "asked twice")) == "error     Terminated: asked twice"


def event(kind: str, payload: object = None) -> Event:
    return Event(1, kind, DUE, payload=msgspec.UNSET if payload is None else msgspec.Raw(msgspec.json.encode(payload)))


FAILURE = {"type": "OSError", "message": "the bank is away\nfor long", "traceback": "Traceback\n  many lines"}


@pytest.mark.parametrize(
    ("kind", "payload", "why"),
    [
        ("AttemptFailed", FAILURE, "OSError: the bank is away"),
        ("ExecutionFailed", FAILURE, "OSError: the bank is away"),
        ("CancelRequested", "the shop closes", "the shop closes"),
        ("ExecutionTerminated", {"type": "Terminated", "message": "asked twice"}, "asked twice"),
        ("ApprovalDecided", {"outcome": "rejected", "by": "ada", "reason": "too late"}, "rejected by ada: too late"),
        ("ApprovalDecided", {"outcome": "approved", "by": "ada", "reason": ""}, "approved by ada"),
    ],
)
def test_a_history_says_who_has_ended_something_and_why(kind: str, payload: object, why: str) -> None:
    head, line = history_text([event(kind, payload)], None).splitlines()
    assert head.endswith("SOURCE  WHY")
    assert line.endswith(f"  {why}")


def test_a_history_without_a_reason_has_no_column_for_it() -> None:
    assert "WHY" not in history_text([event("ExecutionStarted", [1]), event("CancelRequested", "")], None)


def test_a_wide_history_has_the_payloads_without_tracebacks() -> None:
    _, line = history_text([event("AttemptFailed", FAILURE)], "wide").splitlines()
    assert line.endswith('{"type":"OSError","message":"the bank is away\\nfor long"}')


def test_an_answer_is_printed_alone_or_as_the_api_answers() -> None:
    assert answer_text(b"250", None) == "250"
    assert answer_text(b"250", "yaml") == "result: 250"
