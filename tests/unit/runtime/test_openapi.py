"""Does the OpenAPI document say what the table of routes says, and does nobody pay for it who does not ask?"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from dormouse.runtime.openapi import document
from dormouse.runtime.refusals import REFUSALS
from dormouse.runtime.routes import ROUTES


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document())
    return found


def test_every_route_is_an_operation_with_its_answers_and_parameters(described: dict[str, Any]) -> None:
    for route in ROUTES:
        operation = described["paths"][route.path][route.method.lower()]
        statuses = {*route.answers, *(REFUSALS[reason].status for reason in route.refusals)}
        assert {str(status) for status in statuses} <= operation["responses"].keys()
        named = {one["name"] for one in operation["parameters"]}
        assert {*re.findall(r"\{(\w+)\}", route.path), *(one.name for one in route.parameters)} <= named
        assert ("Idempotency-Key" in named) == route.takes_key
        assert ("requestBody" in operation) == (route.body is not None)


def test_operations_can_be_told_apart(described: dict[str, Any]) -> None:
    names = [one["operationId"] for path in described["paths"].values() for one in path.values()]
    assert len(names) == len(set(names)) == len(ROUTES)


def test_every_reference_leads_somewhere_and_no_name_is_our_own(described: dict[str, Any]) -> None:
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', document().decode())):
        found: Any = described
        for part in reference.split("/"):
            found = found[part]
        assert found
    assert {"Execution", "Event", "Start"} <= described["components"]["schemas"].keys()
    assert [name for name in described["components"]["schemas"] if name.endswith(("View", "Body"))] == []


def test_every_reason_is_given_by_some_path_or_by_all(described: dict[str, Any]) -> None:
    of_no_path = {"UnknownPath", "MethodNotAllowed"}
    assert {reason for reason in REFUSALS if f"`{reason}`" not in str(described)} == of_no_path


def test_a_runtime_that_is_not_asked_does_not_make_it() -> None:
    code = "import sys, dormouse.runtime.life; sys.exit('dormouse.runtime.openapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
