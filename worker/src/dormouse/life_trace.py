"""Of which spans is the trace of one life made, from what was applied to the first step? Pure.

The operator and the pod send their parts by themselves. The ids follow from the workflow's UID and the epoch, so that
they are parts of one trace although nothing is passed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dormouse.engine.tracing import number_of

_WHAT = "life"


@dataclass(frozen=True)
class LifeSpan:
    """One span.

    Attributes:
        began_ns, ended_ns: in nanoseconds since 1970.
        attributes: what is to be said of it.
        failed: why it ended badly; empty when it did not.
        within: the name of the span that it is part of; empty for the life itself.
    """

    name: str
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    failed: str = ""
    within: str = ""


@dataclass(frozen=True)
class Life:
    """Whose trace it is: one incarnation of one workflow."""

    namespace: str
    name: str
    workflow_uid: str
    epoch: int

    @property
    def trace_id(self) -> int:
        """Of all its spans."""
        return number_of(16, _WHAT, self.workflow_uid, str(self.epoch))

    @property
    def root_id(self) -> int:
        """Of the span `life`, which all others are within."""
        return number_of(8, _WHAT, self.workflow_uid, str(self.epoch))

    def span_id(self, span: LifeSpan) -> int:
        """The same when it is sent twice, and another one for each time that it was done."""
        return number_of(8, _WHAT, self.workflow_uid, str(self.epoch), span.name, str(span.began_ns))

    @property
    def attributes(self) -> dict[str, str | int]:
        """Of each of its spans."""
        return {"dormouse.namespace": self.namespace, "dormouse.dwf": self.name, "dormouse.epoch": self.epoch}


def keeper_spans(steps: Iterable[Mapping[str, Any]]) -> list[LifeSpan]:
    """What the keeper said with the gate that it had done: one span, and one for each step within it.

    One that it says nothing of, because it is older, is not made up.
    """
    done = [
        LifeSpan(
            name=str(step["name"]),
            began_ns=int(step["beganNs"]),
            ended_ns=int(step["endedNs"]),
            attributes={f"dormouse.{name}": fact for name, fact in step["facts"].items() if fact != ""},
            failed="it failed" if step["failed"] else "",
            within="keeper",
        )
        for step in steps
        if step["endedNs"]
    ]
    if not done:
        return []
    return [LifeSpan("keeper", done[0].began_ns, max(span.ended_ns for span in done)), *done]
