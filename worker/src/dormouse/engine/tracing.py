"""To which trace does an execution belong? The ids follow from what it is, so that every life says the same. Pure.

`dormouse.telemetry` makes spans of it; an engine that is given none imports nothing of OpenTelemetry.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from dormouse.engine.execution import Execution
    from dormouse.engine.outcomes import Run

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = 1


class TraceParent(NamedTuple):
    """What a caller says of the trace that it is in, as the header `traceparent` of the W3C has it."""

    trace_id: int
    span_id: int
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"


def parse(text: str | None) -> TraceParent | None:
    """What it says; None when it says nothing that can be understood, as the W3C wants it."""
    found = _TRACEPARENT.fullmatch(text) if text else None
    if found is None:
        return None
    trace_id, span_id, flags = (int(found[number], 16) for number in (1, 2, 3))
    return TraceParent(trace_id, span_id, bool(flags & _SAMPLED)) if trace_id and span_id else None


def trace_id_of(identity: str, execution_id: str) -> int:
    """Of an execution that nobody has started who was in a trace."""
    return number_of(16, identity, execution_id)


def span_id_of(identity: str, execution_id: str, *which: int) -> int:
    """Of the execution itself or, with the number of a call and of an attempt, of that."""
    return number_of(8, identity, execution_id, *map(str, which))


def number_of(size: int, *parts: str) -> int:
    """An id of so many bytes that follows from these parts; never 0, which is none."""
    digest = sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:size], "big") or 1


class Tracing(Protocol):
    """What an engine tells of what it does."""

    def around(self, run: Run) -> Run:
        """Run attempts so that each is a span, and the code's own spans are within it."""
        ...

    def closed(self, execution: Execution) -> None:
        """An execution has ended, and that counts."""
        ...

    def present(self) -> str | None:
        """The `traceparent` for what is started here and now."""
        ...

    def within(self, execution: Execution) -> str:
        """The `traceparent` for what this execution starts."""
        ...


class Telemetry(Protocol):
    """Sends what engines tell somewhere."""

    def of_engine(self, identity: str) -> Tracing:
        """For the engine of the file that has this identity."""
        ...
