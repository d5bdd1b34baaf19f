"""What came of replaying an execution with the present code? Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import PurePath
from xml.etree import ElementTree as ET

import msgspec

from dormouse.engine.mismatch import Blocked

_SHOWN_WORKFLOWS = 5


class Outcome(StrEnum):
    """Which of them it is decides the exit code; of several the highest."""

    MATCH = "match"
    SKIPPED = "skipped"
    DIVERGED = "diverged"
    UNREADABLE = "unreadable"
    RAISED = "raised"
    MISSING = "missing"


EXIT_CODES = {
    Outcome.MATCH: 0,
    Outcome.SKIPPED: 0,
    Outcome.DIVERGED: 1,
    Outcome.UNREADABLE: 4,
    Outcome.RAISED: 5,
    Outcome.MISSING: 6,
}
"""2, 3 and 4 mean what they mean for every verb: a wrong command line, still open, unreachable."""


class Verdict(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One execution of a file, and why it would not go on as it is logged; or a file that tells of none, and why."""

    file: str
    execution: str
    workflow: str
    events: int
    outcome: Outcome
    blocked: Blocked | None = None
    unreadable: str | None = None

    @classmethod
    def of_unreadable(cls, file: str, why: str) -> Verdict:
        """Of one among several files that cannot be read."""
        return cls(file, "", "", 0, Outcome.UNREADABLE, unreadable=why)


def outcome_of(blocked: Blocked | None, *, is_known: bool = True) -> Outcome:
    """Whether the code went another way, raised where it used to ask, or is not there; `is_known`: the workflow is."""
    if blocked is None:
        return Outcome.MATCH if is_known else Outcome.SKIPPED
    if blocked.reason == "UnknownWorkflow":
        return Outcome.MISSING
    return Outcome.RAISED if blocked.raised else Outcome.DIVERGED


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 when all match; else the highest of them. Code that has none of the workflows is the wrong code."""
    found = list(verdicts)
    if found and all(one.outcome is Outcome.SKIPPED for one in found):
        return EXIT_CODES[Outcome.MISSING]
    return max((EXIT_CODES[one.outcome] for one in found), default=0)


def verdicts_text(verdicts: Sequence[Verdict]) -> str:
    """Those that do not match, each with both sides, and a last line that counts."""
    unreadable = [one for one in verdicts if one.unreadable is not None]
    parts = [f"{one.file} {one.outcome}\n  {one.unreadable}" for one in unreadable]
    verdicts = [one for one in verdicts if one.unreadable is None]
    parts += [differs(one) for one in verdicts if one.blocked is not None]
    events = sum(one.events for one in verdicts)
    plural = "" if len(verdicts) == 1 else "s"
    told = f"{len(verdicts)} execution{plural} with {events:,} events: {counted(verdicts)}"
    absent = sorted({one.workflow for one in verdicts if one.outcome is Outcome.SKIPPED})
    if absent:
        more = ", ..." if len(absent) > _SHOWN_WORKFLOWS else ""
        told += f"; the code has no workflow {', '.join(absent[:_SHOWN_WORKFLOWS])}{more}"
    if unreadable:
        told += f"; {len(unreadable)} of the files cannot be read"
    return "\n\n".join([*parts, told])


def counted(verdicts: Iterable[Verdict]) -> str:
    """How many there are of each outcome."""
    counts = Counter(one.outcome for one in verdicts)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]) or "nothing"


def differs(one: Verdict) -> str:
    """Both sides of one that does not match."""
    assert one.blocked is not None  # noqa: S101 - only those are shown
    return f"{one.file}: {one.execution} ({one.workflow}) {one.outcome}\n{both_sides(one.blocked)}"


def both_sides(blocked: Blocked) -> str:
    """What the log says and what the code does, in lines of their own, and what could be done about it."""
    if blocked.expected and blocked.actual:
        lines = [
            f"- log   {blocked.expected}{_at(blocked.expected_source)}",
            f"+ code  {blocked.actual}{_at(blocked.actual_source)}",
        ]
    else:
        lines = [f"  {blocked.message}"]
    lines += [f"  {line}" for line in (blocked.suggestion or "").splitlines()]
    return "\n".join(lines)


def _at(source: str | None) -> str:
    return f" ({source})" if source else ""


def junit(verdicts: Sequence[Verdict]) -> bytes:
    """A test suite of one case for each execution, as CI systems read it."""
    failed = sum(one.blocked is not None for one in verdicts)
    unreadable = sum(one.unreadable is not None for one in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failed), "errors": str(unreadable)}
    suite = ET.Element("testsuite", {"name": "dormouse replay", **counts})
    for one in verdicts:
        names = {"classname": _xml(f"{one.file}.{one.workflow}"), "name": _xml(one.execution)}
        if one.unreadable is not None:
            names = {"classname": _xml(one.file), "name": _xml(PurePath(one.file).name)}
        case = ET.SubElement(suite, "testcase", names)
        if one.unreadable is not None:
            ET.SubElement(case, "error", type=str(one.outcome), message=_xml(one.unreadable))
        if one.outcome is Outcome.SKIPPED:
            ET.SubElement(case, "skipped", message="it has ended, and its workflow is not in this code")
        if one.blocked is not None:
            failure = ET.SubElement(case, "failure", type=str(one.outcome), message=_xml(one.blocked.message))
            failure.text = _xml(differs(one))
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))


def _xml(text: str) -> str:
    """XML has no way to write most control characters, nor half a surrogate pair."""
    return "".join(char if _is_writable(char) else "?" for char in text)


def _is_writable(char: str) -> bool:
    return char in "\t\n\r" or (char >= " " and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff")
