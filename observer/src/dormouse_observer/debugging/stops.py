"""At which step of the user's code does it meet an event of its log?

A replay repeats itself to the letter. So one replay finds the turn in which the code meets the event, a second one
counts the steps of the user's code in that turn, and a third one stops at the right step.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from dormouse.engine.delivery import deliver
from dormouse.engine.execution import Execution
from dormouse.engine.journal import CLOSINGS, COMMANDS, Event
from dormouse_observer.debugging.frames import IsUsers, line_of, running, suspended, users_code
from dormouse_observer.debugging.recording import GoesAnotherWay, NoSuchEvent, Recording
from dormouse_observer.debugging.standing import End, Standing, standing

if TYPE_CHECKING:
    from _typeshed import TraceFunction


class Step(NamedTuple):
    """The user's code is about to run a line, or to go on in the one in which it has waited.

    Attributes:
        line: `file.py:line`.
        left: how much of what it had asked for it had not asked for again.
    """

    line: str
    left: int


@dataclass(frozen=True)
class Stop:
    """Where to stop.

    Attributes:
        turn: the number of the event that the code has just heard of, among those that it hears of.
        step: the number of the step within that turn; None after all of them, where the code waits again.
    """

    turn: int
    step: int | None


class Steps:
    """A trace function that tells of the steps of the user's code, one turn at a time.

    Args:
        is_users: which code is the user's.
        told: hears of each step; a trace function that it gives is the frame's from then on.
    """

    def __init__(self, is_users: IsUsers, told: Callable[[FrameType], TraceFunction | None]) -> None:
        self._is_users = is_users
        self._told = told
        self._waits: set[FrameType] = set()

    @contextmanager
    def of(self, execution: Execution) -> Iterator[None]:
        """Tell of those that follow here."""
        self._waits = {frames[-1] for frames in suspended(execution, self._is_users)}
        before = sys.gettrace()
        sys.settrace(self._entered)
        try:
            yield
        finally:
            if sys.gettrace() == self._entered:  # a debugger may have taken over
                sys.settrace(before)
            self._waits.clear()

    def _entered(self, frame: FrameType, event: str, argument: Any) -> TraceFunction | None:  # noqa: ARG002 - as Python calls it
        if not self._is_users(frame.f_code):
            return None
        if frame in self._waits:  # it goes on in the line in which it waits
            self._waits.discard(frame)
            return self._told(frame) or self._stepped
        return self._stepped

    def _stepped(self, frame: FrameType, event: str, argument: Any) -> TraceFunction | None:  # noqa: ARG002 - as above
        return (self._told(frame) if event == "line" else None) or self._stepped


def stop_at(recording: Recording, position: int) -> Stop:
    """Where the code meets this event.

    Raises:
        NoSuchEvent: when there is none, or the code had ended before it could hear of it.
        GoesAnotherWay: when the code cannot follow the log that far.
    """
    event = recording.event(position)
    if event.kind in CLOSINGS and event is not recording.counting[-1]:
        raise NoSuchEvent(f"execution {recording.row.id!r} went on after event {position}; choose another")
    with _quietly():
        turn, source = _met(recording, event)
        steps = _steps_in(recording, turn)
    if event.kind in COMMANDS:
        before = _commands_from(recording, event)
        return Stop(turn, chosen([step for step in steps if step.left >= before], source))
    if event.kind in CLOSINGS:
        return Stop(turn, chosen(steps, source))
    return Stop(turn, 0 if steps else None)


def chosen(steps: Sequence[Step], source: str | None) -> int | None:
    """The last of these steps that is in this line or, when none is, the last one. Pure."""
    if not steps:
        return None
    there = [number for number, step in enumerate(steps) if step.line == source]
    return there[-1] if there else len(steps) - 1


def reach(
    recording: Recording,
    stop: Stop,
    stopped: Callable[[list[FrameType]], TraceFunction | None],
    hears: Callable[[Event], None] = lambda _: None,
) -> End:
    """Replay it and have `stopped` told of the user's frames at the stop, the innermost last. Then the replay goes on
    to the end of the log.

    `hears` is told of each event before the code is. What `stopped` raises ends the replay, if it is a
    KeyboardInterrupt: where that goes through the user's code, the execution is blocked by it.
    """
    is_users = users_code(recording.workflow)
    turn = steps = -1
    workflow: FrameType | None = None
    stands = Standing()

    def at_step(frame: FrameType) -> TraceFunction | None:
        nonlocal steps, workflow
        steps += 1
        if steps != stop.step:
            return None
        frames = running(frame, is_users)
        workflow = workflow or frames[0]
        return stopped(frames)

    tracing = Steps(is_users, at_step)

    def tell(execution: Execution, event: Event) -> None:
        nonlocal turn, workflow, stands
        turn += 1
        hears(event)
        tell_and_stop(execution, event)
        stands = standing(execution, is_users, workflow)
        if stands.how == "waits" and stands.lines:
            workflow = stands.lines[0].frame

    def tell_and_stop(execution: Execution, event: Event) -> None:
        if turn != stop.turn:
            deliver(execution, event)
        elif stop.step is not None:
            with tracing.of(execution):
                deliver(execution, event)
        else:
            deliver(execution, event)
            waiting = suspended(execution, is_users)
            if waiting:
                stopped(waiting[0])

    return End(recording.replayed(tell), stands)


def _met(recording: Recording, wanted: Event) -> tuple[int, str | None]:
    """The turn in which the code meets an event, and the line in which it does, where that is known."""
    turn = -1
    met: list[tuple[int, str | None]] = []
    is_users = users_code(recording.workflow)
    is_command, is_end = wanted.kind in COMMANDS, wanted.kind in CLOSINGS
    left_behind = _commands_from(recording, wanted) if is_command else 0

    def tell(execution: Execution, event: Event) -> None:
        nonlocal turn
        turn += 1
        asked_for = execution.log.commands
        deliver(execution, event)
        if is_command and execution.log.left < left_behind:
            asked = execution.pending.get(wanted.command or 0)
            met.append((turn, wanted.source if asked is None else asked.source))
        elif event.position == wanted.position and not (execution.blocked and (event.command or 0) > asked_for):
            met.append((turn, None))
        elif is_end and execution.over:
            raised = standing(execution, is_users, None).lines
            met.append((turn, str(raised[-1]) if raised else None))

    execution = recording.replayed(tell)
    blocked = execution.blocked
    execution.dispose()
    if met:
        return met[0]
    if blocked is not None:
        raise GoesAnotherWay(recording.row, len(recording.events), blocked)
    if is_end:
        return turn, None  # it was ended from outside
    raise NoSuchEvent(f"the code had ended before it could hear of event {wanted.position}; choose an earlier one")


def _commands_from(recording: Recording, event: Event) -> int:
    """How many things the code asks for from this one on."""
    return sum(one.kind in COMMANDS and one.position >= event.position for one in recording.counting)


def _steps_in(recording: Recording, turn: int) -> list[Step]:
    """The steps of the user's code in a turn."""
    steps: list[Step] = []
    is_users = users_code(recording.workflow)
    told: list[Execution] = []
    tracing = Steps(is_users, lambda frame: steps.append(Step(line_of(frame), told[0].log.left)))
    number = -1

    def tell(execution: Execution, event: Event) -> None:
        nonlocal number
        number += 1
        if number == turn:
            told.append(execution)
            with tracing.of(execution):
                deliver(execution, event)
        else:
            deliver(execution, event)

    recording.replayed(tell).dispose()
    return steps


@contextmanager
def _quietly() -> Iterator[None]:
    """What the code prints is seen once, in the replay that is debugged."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), breakpoints(lambda: None):
        yield


@contextmanager
def breakpoints(hook: Callable[[], object]) -> Iterator[None]:
    """What `breakpoint()` in the user's code does meanwhile."""
    before, sys.breakpointhook = sys.breakpointhook, lambda *_, **__: hook()
    try:
        yield
    finally:
        sys.breakpointhook = before
