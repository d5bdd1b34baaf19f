"""Which findings does the author allow, and why? Comments such as `# dormouse: allow[clock] only for the log`."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass

_COMMENT = re.compile(r"#\s*dormouse:\s*allow(?:\[(?P<code>[\w-]*)\])?(?P<reason>.*)")


@dataclass(frozen=True)
class Suppression:
    """One comment."""

    line: int
    column: int
    code: str
    reason: str


def suppressions(source: str) -> list[Suppression]:
    """The comments of a file that allow something. It can be parsed."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        match = _COMMENT.fullmatch(token.string) if token.type == tokenize.COMMENT else None
        if match is not None:
            code, reason = match["code"] or "", match["reason"].strip()
            found.append(Suppression(token.start[0], token.start[1] + 1, code, reason))
    return found
