"""Which variables has the user's code at an event?"""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import Repr
from types import FrameType

import msgspec

from dormouse.commands.printing import document, table
from dormouse.engine.journal import Event
from dormouse.runtime.views import EventView, event_view
from dormouse_observer.debugging.frames import awaiting, line_of, users_code
from dormouse_observer.debugging.recording import Recording, described
from dormouse_observer.debugging.stops import breakpoints, reach, stop_at

_REPR = Repr()
_REPR.maxlevel = 6
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 1000
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = _REPR.maxset = _REPR.maxfrozenset = _REPR.maxdeque = 100


class FrameVariables(msgspec.Struct, frozen=True):
    """One function of the user's that runs or waits, with its variables as Python writes them."""

    function: str
    source: str
    variables: dict[str, str]


class AtEvent(msgspec.Struct, frozen=True):
    """What the user's code is doing at an event: its functions, the innermost last."""

    execution: str
    event: EventView
    frames: list[FrameVariables]


def variables_at(recording: Recording, position: int) -> AtEvent:
    """The variables where the code meets an event; raises as `stop_at`."""
    is_users = users_code(recording.workflow)
    shown: list[FrameVariables] = []

    def stopped(frames: list[FrameType]) -> None:
        shown.extend(map(_variables, [*awaiting(is_users), *frames]))
        raise KeyboardInterrupt  # the one thing that neither a workflow nor asyncio keeps to itself

    try:
        with breakpoints(lambda: None):
            end = reach(recording, stop_at(recording, position), stopped)
            if not shown:
                shown += [_variables(place.frame) for place in end.standing.lines]
            end.execution.dispose()
    except KeyboardInterrupt:
        if not shown:
            raise
    return AtEvent(recording.row.id, event_view(recording.event(position)), shown)


def variables_text(found: AtEvent, event: Event, output: str | None) -> str:
    """For a person, or a document."""
    if output is not None:
        return document(found, output)
    lines = [described(event)]
    for frame in found.frames:
        lines.append(f"{frame.source} {frame.function}")
        lines += _indented([[name, value] for name, value in frame.variables.items()])
    return "\n".join(lines)


def _indented(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"  {line}" for line in table(rows, cut=False).splitlines()] if rows else []


def _variables(frame: FrameType) -> FrameVariables:
    values = {name: _REPR.repr(value) for name, value in frame.f_locals.items()}
    return FrameVariables(frame.f_code.co_qualname, line_of(frame), values)
