"""Is it told apart why an execution would not go on, and is CI told so that it can read it?"""

from __future__ import annotations

from xml.etree import ElementTree as ET

import msgspec
import pytest

from dormouse.engine.mismatch import Blocked
from dormouse_observer.verdict import Outcome, Verdict, exit_code, junit, outcome_of, verdicts_text

DIVERGED = Blocked("NonDeterministic", "went elsewhere", "ActivityScheduled a", "a.py:3", "TimerStarted", "a.py:4")
RAISED = Blocked("NonDeterministic", "it raised", "ActivityScheduled a", "a.py:3", "raised KeyError: 'x'", "a.py:4")
MISSING = Blocked("UnknownWorkflow", "the code has no workflow 'order'")


def verdict(blocked: Blocked | None, execution: str = "one") -> Verdict:
    return Verdict("f.sqlite", execution, "order", 7, outcome_of(blocked), blocked)


@pytest.mark.parametrize(
    ("blocked", "outcome", "code"),
    [
        (None, Outcome.MATCH, 0),
        (DIVERGED, Outcome.DIVERGED, 1),
        (RAISED, Outcome.RAISED, 5),
        (MISSING, Outcome.MISSING, 6),
    ],
)
def test_each_outcome_has_its_exit_code(blocked: Blocked | None, outcome: Outcome, code: int) -> None:
    assert verdict(blocked).outcome is outcome
    assert exit_code([verdict(blocked)]) == code
    assert exit_code([verdict(None), verdict(blocked), verdict(None)]) == code


def test_what_has_ended_may_leave_the_code_but_not_all_of_it() -> None:
    skipped = Verdict("f.sqlite", "old", "order", 3, outcome_of(None, is_known=False))
    assert skipped.outcome is Outcome.SKIPPED
    assert exit_code([verdict(None), skipped]) == 0
    assert exit_code([skipped, skipped]) == 6, "that must be the wrong code"
    assert ET.fromstring(junit([skipped])).find("testcase/skipped") is not None
    assert verdicts_text([skipped]) == "1 execution with 3 events: 1 skipped; the code has no workflow order"


def test_nothing_that_was_replayed_is_nothing_that_failed() -> None:
    assert exit_code([]) == 0


def test_both_sides_are_shown_and_the_rest_is_counted() -> None:
    shown = verdicts_text([verdict(None), verdict(DIVERGED, "two")])
    assert shown == (
        "f.sqlite: two (order) diverged\n- log   ActivityScheduled a (a.py:3)\n+ code  TimerStarted (a.py:4)\n\n"
        "2 executions with 14 events: 1 match, 1 diverged"
    )


def test_a_file_that_cannot_be_read_is_an_error_of_its_own_and_hides_nothing() -> None:
    found = [Verdict.of_unreadable("old/broken.sqlite", "it is damaged"), verdict(None), verdict(DIVERGED)]
    assert exit_code(found) == 4
    assert exit_code([*found, verdict(RAISED)]) == 5
    shown = verdicts_text(found)
    assert shown.startswith("old/broken.sqlite unreadable\n  it is damaged\n\nf.sqlite: one (order) diverged")
    assert shown.endswith("2 executions with 14 events: 1 match, 1 diverged; 1 of the files cannot be read")
    suite = ET.fromstring(junit(found))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    error = suite.find("testcase[@name='broken.sqlite']/error")
    assert error is not None
    assert error.get("message") == "it is damaged"


def test_a_report_is_valid_whatever_the_messages_hold() -> None:
    hostile = msgspec.structs.replace(DIVERGED, message="a\x00\x1b[31m <b> & \ud800 \"'", actual="\x07<script>")
    suite = ET.fromstring(junit([verdict(None), verdict(hostile, "<two>")]))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    first, second = suite.findall("testcase")
    assert first.find("failure") is None
    assert (second.get("name"), second.get("classname")) == ("<two>", "f.sqlite.order")
    failure = second.find("failure")
    assert failure is not None
    assert failure.get("message") == "a??[31m <b> & ? \"'"
    assert "+ code  ?<script>" in str(failure.text)
    ET.fromstring(junit([verdict(hostile, "\x1b\ufffe")]))
