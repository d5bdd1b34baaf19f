"""Which findings does a file have? Its workflows' code is read, and what its author allows is taken out."""

from __future__ import annotations

import ast

import msgspec

from dormouse.lint.names import scope_of_module
from dormouse.lint.reach import WorkflowCode, workflow_code
from dormouse.lint.reading import Found, module_containers, read_function
from dormouse.lint.rules import CODES
from dormouse.lint.suppressions import Suppression, suppressions


class Finding(msgspec.Struct, frozen=True):
    """One mistake, with its remedy."""

    path: str
    line: int
    column: int
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code}: {self.message}; {self.remedy}"


def check(source: str, path: str) -> list[Finding]:
    """All findings of a file, in the order of its lines. Pure."""
    try:
        tree = ast.parse(source, path)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        return [Finding(path, line, column, "syntax", f"it cannot be parsed: {error.msg}", "mend it first")]
    scope = scope_of_module(tree)
    containers = module_containers(tree, scope)
    allowed = suppressions(source)
    used: set[Suppression] = set()
    findings: dict[tuple[int, int, str], Finding] = {}
    for code in workflow_code(tree, scope):
        for found in read_function(code.function, scope, containers):
            by = _allowing(found, allowed)
            used |= by
            if not by:
                finding = _finding(path, code, found)
                findings.setdefault((finding.line, finding.column, finding.code), finding)
    complaints = [complaint for one in allowed if (complaint := _complaint(path, one, used=one in used)) is not None]
    return sorted([*findings.values(), *complaints], key=lambda one: (one.line, one.column))


def _finding(path: str, code: WorkflowCode, found: Found) -> Finding:
    node, rule = found.node, found.rule
    message = f"{found.what} {rule.why} ({code.place})"
    return Finding(path, node.lineno, node.col_offset + 1, rule.code, message, rule.remedy)


def _allowing(found: Found, allowed: list[Suppression]) -> set[Suppression]:
    lines = range(found.node.lineno, (found.node.end_lineno or found.node.lineno) + 1)
    return {one for one in allowed if one.line in lines and one.code == found.rule.code and one.reason}


def _complaint(path: str, one: Suppression, *, used: bool) -> Finding | None:
    if one.code not in CODES:
        message, remedy = f"allow[{one.code}] allows nothing", f"name one of: {', '.join(CODES)}"
    elif not one.reason:
        message, remedy = f"allow[{one.code}] has no reason, so it allows nothing", "say why after the bracket"
    elif not used:
        message, remedy = f"allow[{one.code}]: nothing is found on this line", "take the comment out"
    else:
        return None
    return Finding(path, one.line, one.column, "allow", message, remedy)
