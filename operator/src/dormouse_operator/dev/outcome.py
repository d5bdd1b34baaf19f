"""What came of the execution that a workflow starts with, and is the run over with that? Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dormouse_operator.api import DurableWorkflowStatus
from dormouse_operator.dev.http_get import Answer
from dormouse_operator.plan.lives import read_lives

RESULT_PATH = "/v1/executions/main/result"
_LONGEST_SHOWN = 500
_LONGEST_ERROR = 2000
_CUT = "…"


@dataclass(frozen=True)
class Outcome:
    """The execution's end, or why it cannot go on. `message` is its result as JSON, its error, or the reason."""

    kind: Literal["Completed", "Failed", "Blocked"]
    message: str

    def text(self, whole: str) -> str:
        """As a person is told of it; `whole` is the command that prints a result of which this is the beginning."""
        if self.kind == "Completed":
            shown = _cut(self.message, _LONGEST_SHOWN)
            return f"result: {shown}" + (f"\nall of it: {whole}" if shown.endswith(_CUT) else "")
        return f"{self.kind}: {_cut(self.message, _LONGEST_ERROR)}".rstrip(": ")


def answered(answer: Answer | None) -> Outcome | None:
    """What the runtime says; None when it does not answer, or the execution just goes on."""
    if answer is None or answer.status not in (200, 202):
        return None
    try:
        view = json.loads(answer.body)
    except ValueError:  # longer than what is read of it: the pod's end tells its beginning
        return None
    if "error" in view:
        return Outcome("Failed", f"{view['error']['type']}: {view['error']['message']}")
    if "result" in view:
        return Outcome("Completed", json.dumps(view["result"], ensure_ascii=False, separators=(",", ":")))
    if "blocked" in view:
        return Outcome("Blocked", f"{view['blocked']['reason']}: {view['blocked']['message']}")
    return None


def left_behind(pods: Sequence[Mapping[str, Any]]) -> Outcome | None:
    """What the newest pod's runtime said when it ended with all executions closed."""
    lives = read_lives(tuple(pods), frozenset())
    ending = lives[-1].runtime_ending if lives else None
    if ending is None or ending.reason != "Completed":
        return None
    if ending.said.get("result") == "failed":
        return Outcome("Failed", str(ending.said.get("error", "")))
    output = ending.said.get("output")
    return None if output is None else Outcome("Completed", str(output))


def is_failed(status: DurableWorkflowStatus) -> bool:
    """Whether it came to an end, and that is no success."""
    completed = status.condition("Completed")
    return completed is not None and completed.status == "True" and completed.reason == "Failed"


def is_success(statuses: Sequence[DurableWorkflowStatus], *, is_blocked: bool) -> bool | None:
    """How a run ends that only waits for completion; None while it goes on."""
    if is_blocked or any(status.is_true("Stalled") for status in statuses):
        return False
    if all(status.is_true("Completed") for status in statuses):
        return not any(is_failed(status) for status in statuses)
    return None


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + _CUT
