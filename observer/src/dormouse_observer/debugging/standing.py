"""Where does the user's code stand when it has heard of all that is in the log?"""

from __future__ import annotations

from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import NamedTuple

from dormouse.engine.execution import Execution
from dormouse.engine.mismatch import of_a_replay
from dormouse_observer.debugging.frames import IsUsers, suspended
from dormouse_observer.debugging.recording import Recording
from dormouse_observer.verdict import both_sides


class Line(NamedTuple):
    """A line of a function that has run; `frame` keeps its variables, also when it has ended."""

    frame: FrameType
    number: int

    def __str__(self) -> str:
        return f"{self.frame.f_code.co_filename.rpartition('/')[2]}:{self.number}"


@dataclass(frozen=True)
class Standing:
    """The user's functions there, the innermost last.

    Attributes:
        how: `waits`, `has raised` or `has ended`.
        lines: none where no code of the user's has run.
    """

    how: str = "waits"
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class End:
    """What a replay has come to. Whoever is given it disposes of the execution."""

    execution: Execution
    standing: Standing

    def told(self, recording: Recording) -> str:
        """In one line, for a person; where the code goes another way, with both sides as a replay shows them."""
        blocked, lines = self.execution.blocked, self.standing.lines
        if blocked is not None:
            return f"the code goes another way than the log:\n{both_sides(of_a_replay(blocked))}"
        where = f", and {self.standing.how} in {lines[-1]}" if lines else ""
        return f"the end of the log: execution {recording.row.id!r} is {recording.row.status}{where}"


def standing(execution: Execution, is_users: IsUsers, workflow: FrameType | None) -> Standing:
    """Where it stands now; `workflow` is where its own function has been seen last."""
    raised = _raised(execution, is_users)
    if raised:
        return Standing("has raised", raised)
    if execution.over:
        return Standing("has ended", () if workflow is None else (Line(workflow, workflow.f_lineno),))
    waiting = suspended(execution, is_users)
    return Standing("waits", tuple(Line(frame, frame.f_lineno) for frame in waiting[0]) if waiting else ())


def _raised(execution: Execution, is_users: IsUsers) -> tuple[Line, ...]:
    main = execution.main
    error = None if main is None or not main.done() or main.cancelled() else main.exception()
    return tuple(traced(None if error is None else error.__traceback__, is_users))


def traced(trace: TracebackType | None, is_users: IsUsers) -> list[Line]:
    """The lines of the user's in a traceback, the innermost last."""
    found = []
    while trace is not None:
        if is_users(trace.tb_frame.f_code):
            found.append(Line(trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found
