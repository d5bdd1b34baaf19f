"""pdb at an event of a log: with the next event, the one before, into a child, and what the event says."""

from __future__ import annotations

import dis
import inspect
import sys
from bdb import BdbQuit
from dataclasses import dataclass
from functools import partial
from pdb import Pdb
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from dormouse.engine.journal import COMMANDS, Event, Kind
from dormouse.engine.loop import among_workflows
from dormouse.errors import DormouseError
from dormouse_observer.debugging.frames import IsUsers, awaiting, running, users_code, who_goes_on_after
from dormouse_observer.debugging.recording import Library, Recording, described
from dormouse_observer.debugging.standing import Line, traced
from dormouse_observer.debugging.stops import breakpoints, reach, stop_at

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_SHOWN_CHARACTERS = 4000
_COROUTINE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_NEVER, _AT_ITS_END = -1, sys.maxsize
"""Lines of a frame from which on to stop there, as pdb counts them; at its end it is told who goes on."""
_CHILDREN = frozenset({Kind.CHILD_STARTED, Kind.CHILD_COMPLETED, Kind.CHILD_FAILED, Kind.CHILD_CANCELLED})
INTRODUCTION = "ne: next event, back: the one before, event: this one (event N: go there), child, parent; else as pdb"


@dataclass(frozen=True)
class Place:
    """An event of an execution; without a position, its first."""

    execution: str
    position: int | None = None


def debug(library: Library, place: Place) -> None:
    """Let a person look at it in pdb, from this place to wherever they go.

    Raises:
        DormouseError: when the first place cannot be reached.
    """
    prompt, before = Prompt(), place
    prompt.message(INTRODUCTION)
    going: Place | None = place
    while going is not None:
        try:
            before, going = going, prompt.visit(library.recording(going.execution), going.position)
        except DormouseError as error:
            if going == place:
                raise
            prompt.error(str(error))
            going = before


class Prompt(Pdb):
    """Stops only in the user's code, and knows the log."""

    def __init__(self) -> None:
        super().__init__(nosigint=True)
        self._recording: Recording
        self._is_users: IsUsers
        self._target = self._heard = 0
        self._going: Place | None = None
        self._waiting: list[FrameType] = []
        self._left: tuple[Line, ...] = ()

    def visit(self, recording: Recording, at: int | None) -> Place | None:
        """Stop at this event; where the person wants to go from there, or None when they have seen enough."""
        position = recording.first if at is None else at
        stop = stop_at(recording, position)
        self._recording, self._is_users = recording, users_code(recording.workflow)
        self._target, self._heard, self._going, self._left = position, 0, None, ()
        self.quitting = False
        try:
            with breakpoints(self._at_breakpoint):
                end = reach(recording, stop, self._stopped, self._hears)
        except KeyboardInterrupt:
            if not self.quitting:
                raise
            return self._going
        finally:
            sys.settrace(None)
        if not self.quitting:
            self.message(end.told(recording))
            with among_workflows():
                end.execution.loop.run_inside(partial(self._look_back, end.standing.lines))
        end.execution.dispose()
        return self._going

    def _look_back(self, lines: tuple[Line, ...]) -> None:
        """All has run; what is left are the variables."""
        self._left = lines
        while lines and not self.quitting:
            self.reset()
            self.interaction(lines[-1].frame, None)
            if not self.quitting:
                self.error("nothing is left to run; `back`, `event N`, `restart`, or `quit`")
                sys.settrace(None)

    def _hears(self, event: Event) -> None:
        self._heard = event.position

    def _stopped(self, frames: list[FrameType]) -> TraceFunction:
        self.reset()
        self.message(f"> {described(self._recording.event(self._target))}")
        self._trace(frames)
        self._waiting = frames
        self.interaction(frames[-1], None)
        self._waiting = []
        if self.quitting:
            raise KeyboardInterrupt  # the one thing that neither a workflow nor asyncio keeps to itself
        return self.trace_dispatch

    def _at_breakpoint(self) -> None:
        """The user's code says `breakpoint()`; on the way to an event that does not count."""
        if self._heard < self._target:
            return
        frames = running(sys._getframe(1), self._is_users)
        if frames:
            self.reset()
            self._trace(frames)
            self.set_next(frames[-1])

    def _trace(self, frames: list[FrameType]) -> None:
        for frame in frames:
            frame.f_trace = self.trace_dispatch
        self.botframe = frames[0]
        sys.settrace(self.trace_dispatch)

    # What is different from pdb.

    def trace_dispatch(self, frame: FrameType, event: str, arg: Any) -> Any:
        try:
            return super().trace_dispatch(frame, event, arg)
        except BdbQuit:
            raise KeyboardInterrupt from None

    def stop_here(self, frame: FrameType) -> bool:
        return self._is_users(frame.f_code) and super().stop_here(frame)

    def dispatch_return(self, frame: FrameType, arg: Any) -> TraceFunction:
        operation = dis.opname[frame.f_code.co_code[frame.f_lasti]]
        if operation.startswith("YIELD"):
            return self.trace_dispatch  # it only waits
        if operation.startswith("RETURN"):
            super().dispatch_return(frame, arg)
        if self.stopframe is frame and self.stoplineno != _NEVER:
            goes_on = who_goes_on_after(frame, self._is_users)
            if goes_on is not None:
                self.set_next(goes_on)
        return self.trace_dispatch

    def dispatch_exception(self, frame: FrameType, arg: Any) -> TraceFunction:
        if arg[0] in (StopIteration, GeneratorExit) and not self.stop_here(frame):
            return self.trace_dispatch  # how a coroutine ends; who goes on after it is told when it does
        return super().dispatch_exception(frame, arg)

    def set_return(self, frame: FrameType) -> None:
        if frame.f_code.co_flags & _COROUTINE:
            self.set_until(frame, _AT_ITS_END)
        else:
            super().set_return(frame)

    def set_next(self, frame: FrameType) -> None:
        if self.frame_returning is frame:
            frame = who_goes_on_after(frame, self._is_users) or frame
        frame.f_trace = self.trace_dispatch
        super().set_next(frame)

    def get_stack(self, f: FrameType | None, t: Any) -> tuple[list[tuple[FrameType, int]], int]:
        if self._left:
            return [(line.frame, line.number) for line in self._left], len(self._left) - 1
        frames = [*awaiting(self._is_users), *(self._waiting or running(f, self._is_users))]
        raised = [line for line in traced(t, self._is_users) if line.frame is not f]
        return [*((frame, frame.f_lineno) for frame in frames), *raised], len(frames) - 1

    # Commands; pdb shows their docstrings as help.

    def do_ne(self, _: str) -> bool | None:
        """ne(xt event)

        Go on to where your code meets the next event of the log.
        """
        return self._go_by(1, "is the last event")

    def do_back(self, _: str) -> bool | None:
        """back

        Go back to the event before this one: your code is run anew up to there.
        """
        return self._go_by(-1, "is the first event")

    def do_event(self, arg: str) -> bool | None:
        """event [N]

        Say where in the log this is, with what was asked for and what came of it; or go to event N.
        """
        if not arg:
            self._show(self._recording.event(self._here))
            return None
        if not arg.isdecimal():
            self.error(f"{arg!r} is no event; `dormouse history` shows their positions")
            return None
        try:
            return self._go(Place(self._recording.row.id, self._recording.event(int(arg)).position))
        except DormouseError as error:
            self.error(str(error))
            return None

    def do_child(self, arg: str) -> bool | None:
        """child [ID]

        Go into the execution that this event is about, or into one of this workflow's children: to its first event.
        """
        children = self._recording.children
        event = self._recording.event(self._here)
        wanted = arg or (children.get(event.command or 0) if event.kind in _CHILDREN else None)
        if wanted is None or wanted not in children.values():
            known = ", ".join(children.values()) or "none"
            self.error(f"{'this event is about no child' if not arg else f'no child {arg!r}'}; children: {known}")
            return None
        return self._go(Place(wanted))

    def do_parent(self, _: str) -> bool | None:
        """parent

        Go to the execution that has called this one.
        """
        if self._recording.parent is None:
            self.error("no workflow has called this one")
            return None
        return self._go(Place(self._recording.parent))

    def do_restart(self, arg: str) -> bool | None:  # noqa: ARG002 - as pdb's own
        """restart

        Go to the first event.
        """
        return self._go(Place(self._recording.row.id))

    do_run = do_restart

    @property
    def _here(self) -> int:
        """The event that the code has met last."""
        if self._left:
            return self._recording.counting[-1].position
        return max(self._target, self._heard)

    def _go_by(self, count: int, else_it: str) -> bool | None:
        position = self._recording.neighbour(self._here, count)
        if self._left and count < 0:
            position = self._here
        if position is None:
            self.error(f"{self._here} {else_it}")
            return None
        return self._go(Place(self._recording.row.id, position))

    def _go(self, place: Place) -> bool:
        self._going = place
        self.set_quit()
        return True

    def _show(self, event: Event) -> None:
        self.message(described(event))
        asked = next((one for one in self._recording.counting if _is_what_was_asked(one, event)), None)
        if asked is not None:
            self.message(f"asked for by {described(asked)}{f' ({asked.source})' if asked.source else ''}")
            self._show_payload("input", asked.payload)
        self._show_payload("input" if event.kind in COMMANDS or asked is None else "answer", event.payload)

    def _show_payload(self, name: str, payload: bytes | None) -> None:
        if payload is not None:
            text = msgspec.json.format(payload, indent=2).decode()
            rest = len(text) - _SHOWN_CHARACTERS
            self.message(f"{name}: {text[:_SHOWN_CHARACTERS]}{f'... ({rest} more characters)' if rest > 0 else ''}")


def _is_what_was_asked(one: Event, answer: Event) -> bool:
    return one.kind in COMMANDS and one.command == answer.command and one.position < answer.position
