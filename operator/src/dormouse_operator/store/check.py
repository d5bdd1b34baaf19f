"""What was found out about a store, and does it decide against it?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Outcome = Literal["passed", "warned", "unknown", "failed"]


class Check(Struct, frozen=True):
    """One question, and what came of it. Whoever reads a message that is not `passed` knows what to do."""

    name: str
    outcome: Outcome
    message: str


def verdict(checks: Iterable[Check]) -> Literal["suitable", "unsuitable"]:
    """Only what failed speaks against a store."""
    return "unsuitable" if any(check.outcome == "failed" for check in checks) else "suitable"


class Report(Struct, frozen=True, rename="camel"):
    """What programs read."""

    url: str
    verdict: Literal["suitable", "unsuitable"]
    checks: list[Check]


def report_text(url: str, checks: list[Check], output: str | None) -> str:
    """For people, or as JSON or YAML."""
    from dormouse.commands.printing import document, table

    if output is not None:
        return document(Report(url, verdict(checks), checks), output)
    rows = table([["CHECK", "RESULT", "DETAILS"], *([one.name, one.outcome, one.message] for one in checks)], cut=False)
    return f"{rows}\n\n{url} is {verdict(checks)}"
