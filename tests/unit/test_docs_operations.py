"""Does the page on operations explain every reason that a condition or an event can have, and no other?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from dormouse.replica.refusal import Reason
from dormouse_operator.plan.lives import NEEDS_HELP
from dormouse_operator.plan.obstacles import NO_IMAGE
from markdown_blocks import REPOSITORY, examples_by_heading

PAGE = REPOSITORY / "docs" / "operations.md"
OPERATOR = REPOSITORY / "operator" / "src" / "dormouse_operator"
BLOCKED = REPOSITORY / "worker" / "src" / "dormouse" / "engine" / "mismatch.py"
SOURCES = [path for folder in ("plan", "controller", "store") for path in sorted((OPERATOR / folder).glob("*.py"))]
# Which argument of these calls is a reason.
POSITIONS = {
    "Trouble": 0,
    "Blocked": 0,
    "_let_go": 0,
    "unavailable": 0,
    "_delete": 1,
    "Verdict": 1,
    "EmitEvent": 1,
}
# What a report says of replication becomes a reason as it is.
REPORTED = {"StoreUnreachable", "LagOverBound"}
# Why a pod is made, which no condition says.
WAKE_REASONS = {"Start", "Restart"}
# What is no constant in the code: Kubernetes' own words, the result of a workflow, names of exceptions and of checks.
FROM_ELSEWHERE = {"Unschedulable", "CreateContainerConfigError"} | NO_IMAGE
FROM_ELSEWHERE |= {"Succeeded", "Failed", "StoreUnknown", "ConfigMapNotFound", "Unavailable", "Refused"}
FROM_ELSEWHERE |= {"Lifecycle", "Versioning", "ObjectLock"}


def explained() -> set[str]:
    """The words of the first column of each table of reasons."""
    section = PAGE.read_text().partition("\n## Conditions and reasons\n")[2].partition("\n## ")[0]
    tables = [table for table in section.split("\n\n") if table.startswith("| reason |")]
    cells = [line.split("|")[1] for table in tables for line in table.splitlines()]
    return {reason for cell in cells for reason in re.findall(r"`([A-Z][A-Za-z]+)`", cell)}


def emitted() -> set[str]:
    """Every constant that stands where a reason is expected."""
    found = {str(reason) for reason in Reason} | NEEDS_HELP | REPORTED
    for path in (*SOURCES, BLOCKED):
        found.update(reasons_in(path))
    return found - WAKE_REASONS


def reasons_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        for expression in reason_expressions(node):
            for each in ast.walk(expression):
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value:
                    yield each.value


def reason_expressions(node: ast.AST) -> Iterator[ast.expr]:
    """`Trouble("X", ...)`, `Step(reason="X")`, `reason = "X"`, and verdicts that are plain tuples."""
    if isinstance(node, ast.Call):
        position = POSITIONS.get(node.func.id if isinstance(node.func, ast.Name) else "")
        if position is not None and position < len(node.args):
            yield from branches(node.args[position])
        yield from (each for keyword in node.keywords if keyword.arg == "reason" for each in branches(keyword.value))
    elif isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "reason" for to in node.targets):
        yield from branches(node.value)
    elif isinstance(node, ast.Tuple) and len(node.elts) == 3:
        status = node.elts[0]
        if isinstance(status, ast.Constant) and status.value in ("True", "False", "Unknown"):
            yield from branches(node.elts[1])


def branches(value: ast.expr) -> Iterator[ast.expr]:
    """What it can be; the question of `A if question else B` is none."""
    if isinstance(value, ast.IfExp):
        yield from branches(value.body)
        yield from branches(value.orelse)
    elif isinstance(value, ast.Constant):
        yield value


def test_every_reason_is_explained_and_no_other() -> None:
    assert explained() == emitted() | FROM_ELSEWHERE


def test_every_section_with_commands_is_played_on_the_cluster() -> None:
    """Those tests are long: what nobody plays has to be seen without them."""
    played = (REPOSITORY / "tests" / "e2e" / "test_docs_operations_on_cluster.py").read_text()
    sections = examples_by_heading(PAGE)
    assert [heading for heading in sections if f'.play("{heading}")' not in played] == []
