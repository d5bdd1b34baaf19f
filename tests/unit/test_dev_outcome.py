"""Is it understood what a runtime says of the start execution, and when a run is over?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from dormouse_operator.api import Condition, DurableWorkflowStatus
from dormouse_operator.dev.http_get import Answer
from dormouse_operator.dev.outcome import Outcome, answered, is_success, left_behind


def pod(farewell: dict[str, Any]) -> dict[str, Any]:
    ended = {"name": "runtime", "state": {"terminated": {"exitCode": 0, "message": json.dumps(farewell)}}}
    return {"metadata": {"name": "sleeper-e1"}, "status": {"phase": "Succeeded", "containerStatuses": [ended]}}


def status(**conditions: str) -> DurableWorkflowStatus:
    told = tuple(
        Condition(type=kind, status="True", reason=reason, message="", last_transition_time="")
        for kind, reason in conditions.items()
    )
    return DurableWorkflowStatus(conditions=told)


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (200, b'{"status":"Completed","result":{"b":[1,null]}}', Outcome("Completed", '{"b":[1,null]}')),
        (200, b'{"status":"Completed","result":null}', Outcome("Completed", "null")),
        (200, b'{"error":{"type":"ValueError","message":"no"}}', Outcome("Failed", "ValueError: no")),
        (202, b'{"blocked":{"reason":"NonDeterministic","message":"m"}}', Outcome("Blocked", "NonDeterministic: m")),
        (202, b'{"status":"Open"}', None),
        (404, b'{"error":{"reason":"UnknownExecution","message":"there is none"}}', None),
        (200, b'{"result":"cut o', None),
    ],
)
def test_an_answer_of_the_runtime_is_understood(code: int, body: bytes, expected: Outcome | None) -> None:
    assert answered(Answer(code, body)) == expected


@pytest.mark.parametrize(
    ("farewell", "expected"),
    [
        ({"reason": "Completed", "result": "succeeded", "output": "[1]"}, Outcome("Completed", "[1]")),
        ({"reason": "Completed", "result": "failed", "error": "KeyError: 'a'"}, Outcome("Failed", "KeyError: 'a'")),
        ({"reason": "Completed", "result": "succeeded"}, None),
        ({"reason": "Stopped"}, None),
    ],
)
def test_an_end_is_understood(farewell: dict[str, Any], expected: Outcome | None) -> None:
    assert left_behind([pod(farewell)]) == expected
    assert left_behind([]) is None


def test_a_long_result_is_cut_and_the_command_that_prints_it_whole_is_told() -> None:
    told, _, whole = Outcome("Completed", "x" * 10_000).text("dormouse result db.sqlite main").partition("\n")
    assert told.startswith("result: xxx")
    assert told.endswith("x…")
    assert len(told) == len("result: ") + 500
    assert whole == "all of it: dormouse result db.sqlite main"


def test_of_a_result_that_the_pod_has_cut_already_that_is_told_too() -> None:
    assert Outcome("Completed", "[1,2…").text("dormouse result x main").endswith("\nall of it: dormouse result x main")
    assert Outcome("Completed", "[1,2]").text("dormouse result x main") == "result: [1,2]"
    assert Outcome("Failed", "no").text("dormouse result x main") == "Failed: no"


def test_a_run_is_over_when_all_are_completed_or_one_cannot_go_on() -> None:
    done, failed, stalled, moving = (
        status(Completed="Succeeded"),
        status(Completed="Failed"),
        status(Stalled="StoreDenied"),
        status(),
    )
    assert is_success([done, done], is_blocked=False) is True
    assert is_success([done, failed], is_blocked=False) is False
    assert is_success([moving, stalled], is_blocked=False) is False
    assert is_success([moving, done], is_blocked=True) is False
    assert is_success([moving, done], is_blocked=False) is None
