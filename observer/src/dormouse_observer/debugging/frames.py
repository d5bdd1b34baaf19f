"""Which frames run the user's own code, which wait for them, and where do those wait that are suspended?"""

from __future__ import annotations

import asyncio
import sysconfig
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import dormouse
import dormouse_observer
from dormouse.engine.definitions import Workflow
from dormouse.engine.execution import Execution
from dormouse.engine.loop import WorkflowLoop

IsUsers = Callable[[CodeType], bool]
_PATHS = sysconfig.get_paths()
NOT_THE_USERS = frozenset(
    {
        *(_PATHS[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *(str(Path(package.__file__ or "").parent) for package in (dormouse, dormouse_observer)),
    }
)
"""Folders of Python, of installed packages, and of ours, wherever these are."""
_OTHERS = tuple(f"{folder}/" for folder in NOT_THE_USERS)


_MACHINERY = frozenset({WorkflowLoop.drain.__code__, WorkflowLoop.run_inside.__code__})
"""Below these on the stack is the workflow's code."""


def users_code(workflow: Workflow[..., Any]) -> IsUsers:
    """What tells the user's code from Python's, from installed packages and from ours. Where the workflow itself is
    installed, all of its folder is the user's.
    """
    own = workflow.function.__code__.co_filename
    folders = (f"{Path(own).parent}/",) if own.startswith(_OTHERS) else ()
    known: dict[str, bool] = {}

    def is_users(code: CodeType) -> bool:
        filename = code.co_filename
        found = known.get(filename)
        if found is None:
            found = filename.startswith(folders) or not filename.startswith((*_OTHERS, "<"))
            known[filename] = found
        return found

    return is_users


def line_of(frame: FrameType) -> str:
    """`file.py:line`, as the log has it."""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def suspended(execution: Execution, is_users: IsUsers) -> list[list[FrameType]]:
    """The user's frames of each task that waits, the innermost last; the workflow's own function comes first."""
    found = (list(_frames(coroutine, is_users)) for coroutine in execution.loop.unfinished())
    return [frames for frames in found if frames]


def _frames(coroutine: Any, is_users: IsUsers) -> Iterator[FrameType]:
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if isinstance(frame, FrameType) and is_users(frame.f_code):
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)


def awaiting(is_users: IsUsers) -> list[FrameType]:
    """The user's frames that wait for the task that runs now, the outermost first: what `asyncio.gather` or a TaskGroup
    runs has a stack of its own. Of a task that nobody awaits, those of the workflow.
    """
    loop = asyncio._get_running_loop()
    if not isinstance(loop, WorkflowLoop):
        return []
    task, seen, found = asyncio.current_task(loop), set[object](), list[FrameType]()
    workflow = next(iter(loop.unfinished()), None)
    while task is not None and task.get_coro() is not workflow and task not in seen:
        seen.add(task)
        task = _who_awaits(task, set())
        coroutine = workflow if task is None else task.get_coro()
        found[:0] = _frames(coroutine, is_users)
    return found


def who_goes_on_after(frame: FrameType, is_users: IsUsers) -> FrameType | None:
    """The user's function that hears of the end of this one, which runs now: who has called or awaits it, perhaps from
    another task. None after the workflow's own.
    """
    above = [*awaiting(is_users), *running(frame, is_users)[:-1]]
    return above[-1] if above else None


def _who_awaits(future: asyncio.Future[Any], seen: set[int]) -> asyncio.Task[Any] | None:
    """The task that goes on when this is done, perhaps by way of other futures. asyncio says it only by callbacks."""
    seen.add(id(future))
    for callback, _ in getattr(future, "_callbacks", None) or ():
        for held in _held_by(callback):
            if isinstance(held, asyncio.TaskGroup):
                parent: asyncio.Task[Any] | None = held._parent_task  # type: ignore[attr-defined]
                return parent
            if not isinstance(held, asyncio.Future) or id(held) in seen:
                continue
            found = held if isinstance(held, asyncio.Task) else _who_awaits(held, seen)
            if found is not None:
                return found
    return None


def _held_by(callback: Any) -> list[object]:
    """What it tells: the task of a plain `await`, a TaskGroup, or the future that gather, wait, shield or wait_for has
    made.
    """
    if isinstance(callback, partial):
        return list(callback.args)
    if isinstance(callback, FunctionType) and callback.__module__ == asyncio.tasks.__name__:
        return [cell.cell_contents for cell in callback.__closure__ or ()]
    return [getattr(callback, "__self__", None)]


def running(frame: FrameType | None, is_users: IsUsers) -> list[FrameType]:
    """The user's frames on the stack, the innermost last: of the workflow, not of who has called the debugger."""
    found: list[FrameType] = []
    while frame is not None and frame.f_code not in _MACHINERY:
        if is_users(frame.f_code):
            found.append(frame)
        frame = frame.f_back
    return found[::-1]
