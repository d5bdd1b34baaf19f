"""Any debugger that `breakpoint()` starts, at an event of a log."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING

import click

from dormouse_observer.debugging.recording import Recording, described
from dormouse_observer.debugging.stops import breakpoints, reach, stop_at

if TYPE_CHECKING:
    from _typeshed import TraceFunction


def debug(recording: Recording, position: int) -> None:
    """Stop once; the debugger has it from there. Raises as `stop_at`."""
    stop = stop_at(recording, position)
    hook, reached = sys.breakpointhook, False

    def stopped(frames: list[FrameType]) -> TraceFunction | None:
        nonlocal reached
        reached = True
        hook()  # it stops in the user's next line, since that is called from there
        return frames[-1].f_trace

    def at_breakpoint() -> None:
        if reached:
            hook()

    click.echo(described(recording.event(position)), err=True)
    with breakpoints(at_breakpoint):
        end = reach(recording, stop, stopped)
    click.echo(end.told(recording), err=True)
    end.execution.dispose()
