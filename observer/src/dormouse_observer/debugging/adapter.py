"""An editor's debugger at an event of a log, over the debug adapter protocol."""

# ruff: noqa: T100 - here debugpy was not forgotten

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread, current_thread
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import click

from dormouse.engine.loop import among_workflows
from dormouse.errors import DormouseError
from dormouse.extras import NotInstalled
from dormouse_observer.debugging.frames import NOT_THE_USERS
from dormouse_observer.debugging.recording import Recording, described
from dormouse_observer.debugging.standing import Line
from dormouse_observer.debugging.stops import breakpoints, reach, stop_at

if TYPE_CHECKING:
    from _typeshed import TraceFunction


class CannotListen(DormouseError):
    """The address is taken, or is none."""


def debug(recording: Recording, position: int, host: str, port: int) -> None:
    """Wait for an editor, and stop where the code meets the event; the editor has it from there. Raises as `stop_at`,
    and NotInstalled, CannotListen.
    """
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # it warns of Python's own modules
    os.environ.setdefault("LIBRARY_ROOTS", os.pathsep.join(sorted(NOT_THE_USERS)))  # for its justMyCode
    try:
        import debugpy
    except ModuleNotFoundError as missing:
        raise NotInstalled("`dormouse debug --listen`", missing.name, "debugger") from missing
    try:
        host, port = debugpy.listen((host, port))
    except (RuntimeError, OSError) as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error}; choose another --listen") from error
    # Before workflows run here, which must not start threads: the debugger does so in the thread that it has stopped.
    sys.modules["_pydevd_bundle.pydevd_daemon_thread"].PyDBDaemonThread.start = Thread.start
    stop = stop_at(recording, position)
    click.echo(f"waiting for an editor on {host}:{port}", err=True)
    debugpy.wait_for_client()
    reached = False

    def stopped(frames: list[FrameType]) -> TraceFunction | None:
        nonlocal reached
        reached = True
        _suspend(frames[-1])
        return frames[-1].f_trace

    def at_breakpoint() -> None:
        if reached:
            debugpy.breakpoint()

    click.echo(described(recording.event(position)), err=True)
    with breakpoints(at_breakpoint):
        end = reach(recording, stop, stopped)
    click.echo(end.told(recording), err=True)
    if reached:
        with among_workflows():
            end.execution.loop.run_inside(partial(_stay, end.standing.lines, debugpy.is_client_connected))
    end.execution.dispose()


def _suspend(frame: FrameType) -> None:
    """As `debugpy.breakpoint`, but in the user's frame."""
    pydevd: Any = sys.modules["pydevd"]
    pydevd.settrace(suspend=True, trace_only_current_thread=True, patch_multiprocessing=False, stop_at_frame=frame)


def _stay(lines: Sequence[Line], is_looked_at: Callable[[], bool]) -> None:
    """All has run; what is left are the variables, until the editor lets go. Whatever else it says, nothing follows."""
    if not lines:
        return
    pydevd: Any = sys.modules["pydevd"]
    debugger, thread = pydevd.GetGlobalDebugger(), current_thread()
    told: Any = pydevd.set_additional_thread_info(thread)
    frame, trace = lines[-1].frame, None
    # Those functions have ended or wait, so they are no stack that runs; a traceback is one that can be looked at.
    for line in reversed(lines):
        trace = TracebackType(trace, line.frame, max(0, line.frame.f_lasti), line.number)
    told.is_tracing += 1  # as when it stops in a line: what the editor asks for is not debugged
    while is_looked_at():
        debugger.set_suspend(thread, pydevd.CMD_STEP_OVER)
        debugger.do_wait_suspend(thread, frame, "exception", (Exception, Exception(), trace))
        told.pydev_step_cmd = -1  # there is nothing to step into but this
