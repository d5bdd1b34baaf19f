"""In which order do the callbacks of one execution run? A deterministic asyncio loop that touches nothing outside.

One loop an execution. It runs what is ready, in the order in which it became ready, and returns; it never waits.
Time stands still while it runs. Its host hears of every timer, and delivers what happened outside.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from types import FrameType
from typing import Any, Protocol, TypeVar

from dormouse.engine.clock import SECOND
from dormouse.engine.guard import Clocks
from dormouse.errors import NotInWorkflow

_T = TypeVar("_T")
_log = logging.getLogger("dormouse.workflow")
_MOST_CALLBACKS = 1_000_000
_TASKS_BEFORE_SWEEP = 16
_BITS_OF_NUMBERS = 20
_FROM_OUTSIDE = (
    "an event, a future or a task of a workflow was touched from outside of its code, which no log would know of; "
    "return a value from the activity, or send the workflow a signal"
)
_ENSURE = frozenset({"ensure_future", "_ensure_future"})
# Where `as_completed` makes tasks of coroutines: in Python 3.11, in 3.12, and since then.
_SETS = frozenset({"as_completed.<locals>.<setcomp>", "as_completed", "_AsCompletedIterator.__init__"})


class Restless(Exception):
    """The workflow goes round and round without ever waiting for anything."""


class Interrupted(Exception):
    """Somebody pressed Ctrl+C, or the workflow raises what that raises."""


class Host(Protocol):
    """What a loop needs from its execution."""

    @property
    def moment(self) -> int: ...

    @property
    def replaying(self) -> bool: ...

    def set_timer(self, moment: int, callback: Callback) -> asyncio.TimerHandle | None: ...

    def refuse_while_reading(self) -> None: ...


class Asked(Protocol):
    """What somebody else does for the code, which waits for it."""

    def cancelled(self) -> None:
        """The code does not wait for it any more."""


class Callback(partial[object]):
    """Stands in for asyncio.Handle, without its cost: it is made and called by C."""

    is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled


def _callback(function: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None) -> Callback:
    return Callback((contextvars.copy_context() if context is None else context).run, function, *args)


class WorkflowTask(asyncio.Task[_T]):
    """Hashes by its number: asyncio keeps tasks in sets, and their order must repeat itself in a replay.

    Above the number stands the key of the execution: asyncio also keeps all tasks of all executions in one set.
    """

    def __init__(self, number: int, coro: Coroutine[Any, Any, _T], **options: Any) -> None:
        self._number = number  # first, because asyncio's own registry hashes the task while it is made
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number

    def cancel(self, msg: Any | None = None) -> bool:
        """What it waits for is given up at once, before any other code runs: that is a decision of the workflow."""
        waits_for: asyncio.Future[Any] | None = self._fut_waiter  # type: ignore[attr-defined]
        accepted = super().cancel(msg)
        if waits_for is not None and waits_for.cancelled():
            loop: Any = self.get_loop()
            loop.given_up(waits_for)
        return accepted


class WorkflowLoop(asyncio.AbstractEventLoop):
    """Implements of asyncio's loop what `gather`, `wait`, `timeout`, `TaskGroup`, `sleep`, queues and locks need."""

    def __init__(self, host: Any, key: int = 0) -> None:
        self.host = host
        self.asked: dict[asyncio.Future[Any], Asked] = {}
        """By what the code waits for."""
        self._ready: deque[Callback] = deque()
        self._tasks: list[asyncio.Task[Any]] = []
        self._sweep_at = _TASKS_BEFORE_SWEEP
        self.disposed = False
        self._count = key << _BITS_OF_NUMBERS

    def drain(self) -> None:
        """Run until nothing is ready; among_workflows.

        Raises:
            Restless: when that does not happen.
            Interrupted: when somebody stops it.
        """
        asyncio._set_running_loop(self)
        ready = self._ready
        try:
            left = _MOST_CALLBACKS
            while ready:
                if not left:
                    raise Restless(f"{_MOST_CALLBACKS} callbacks ran without waiting for an activity or a timer")
                left -= 1
                callback = ready.popleft()
                if callback.is_cancelled:
                    continue
                try:
                    callback()
                except SystemExit as error:
                    # A task keeps it, so whoever waits for that raises it too; the process goes on.
                    self.call_exception_handler({"message": "sys.exit() in a workflow", "exception": error})
                except KeyboardInterrupt as error:
                    raise Interrupted("the workflow's code was interrupted by a KeyboardInterrupt") from error
                except Exception as error:  # noqa: BLE001 - as any asyncio loop does
                    self.call_exception_handler({"message": "a callback raised", "exception": error})
        finally:
            asyncio._set_running_loop(_outer_loop)

    def run_inside(self, function: Callable[[], _T]) -> _T:
        """Run a function as a part of the workflow's code, but none of what is ready."""
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            return function()
        finally:
            asyncio._set_running_loop(outer)

    def dispose(self) -> None:
        """Close the coroutines that have not finished, without running what they would wait for next."""
        for task in self._tasks:
            if (
                task.done() and task._log_traceback and not isinstance(task.exception(), KeyboardInterrupt)
            ):  # as its own __del__ asks
                self._tell_of_failure(task)
        self.disposed = True
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            for task in self._tasks:
                if not task.done():
                    task._log_destroy_pending = False  # type: ignore[attr-defined]
                    coroutine: Any = task.get_coro()
                    try:
                        coroutine.close()
                    except Exception as error:  # noqa: BLE001 - whatever a `finally` of the user's code raises
                        _log.debug("%s did not end well: %r", coroutine, error)
        finally:
            asyncio._set_running_loop(outer)
        self._tasks.clear()
        self._ready.clear()
        self.asked.clear()

    def given_up(self, future: asyncio.Future[Any]) -> None:
        """A task that waited for it was cancelled."""
        asked = self.asked.pop(future, None)
        if asked is not None:
            asked.cancelled()

    def unfinished(self) -> list[Any]:
        """The coroutines of the tasks that have not ended."""
        return [task.get_coro() for task in self._tasks if not task.done()]

    # What asyncio calls.

    def time(self) -> float:
        return float(self.host.moment / SECOND)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Callback:
        if _among_workflows != get_ident() and not self.disposed:
            raise NotInWorkflow(_FROM_OUTSIDE)
        handle = Callback((contextvars.copy_context() if context is None else context).run, callback, *args)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        return self.host.set_timer(self.host.moment + round(delay * SECOND), _callback(callback, args, context))

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Any:
        return self.host.set_timer(round(when * SECOND), _callback(callback, args, context))

    def ring(self, callback: Callback) -> None:
        """A timer's moment has come."""
        self._ready.append(callback)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, _T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[_T]:
        self._refuse_unordered(sys._getframe(1))
        self.host.refuse_while_reading()
        self._count += 1
        task = WorkflowTask(self._count, coro, loop=self, name=name, context=context, **options)
        self._tasks.append(task)
        if len(self._tasks) >= self._sweep_at:
            self._tasks = [one for one in self._tasks if not one.done()]
            self._sweep_at = 2 * len(self._tasks) + _TASKS_BEFORE_SWEEP
        return task

    def _refuse_unordered(self, caller: FrameType) -> None:
        """`as_completed` puts coroutines into a set first, and theirs is an order that we cannot make repeat itself."""
        if caller.f_code.co_name not in _ENSURE:
            return
        asking: FrameType | None = caller
        while asking is not None and asking.f_code.co_name in _ENSURE:
            asking = asking.f_back
        if asking is not None and asking.f_code.co_qualname in _SETS:
            raise NotInWorkflow(
                "as_completed starts coroutines in an order that no replay repeats; give it tasks: "
                "as_completed([asyncio.ensure_future(one) for one in ...])"
            )

    get_debug = staticmethod(bool)
    """False, and without running Python: each future asks for it."""

    def is_running(self) -> bool:
        return not self.disposed

    def is_closed(self) -> bool:
        return self.disposed

    def _tell_of_failure(self, task: asyncio.Task[Any]) -> None:
        error = task.exception()
        if not isinstance(error, KeyboardInterrupt):  # its execution is blocked because of it
            message = f"nobody has awaited a task that failed: {task.get_coro()!r}"
            self.call_exception_handler({"message": message, "exception": error})

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.disposed and not self.host.replaying:
            _log.warning("%s", context.get("message"), exc_info=context.get("exception"))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotInWorkflow(
            "a workflow must not use threads, processes or the network itself; do that in an @activity and await it"
        )

    call_soon_threadsafe = _refuse  # type: ignore[assignment]
    run_in_executor = _refuse  # type: ignore[assignment]
    getaddrinfo = _refuse
    create_connection = _refuse
    create_unix_connection = _refuse
    create_server = _refuse
    subprocess_exec = _refuse
    subprocess_shell = _refuse


def _moment_ns() -> int | None:
    loop = asyncio._get_running_loop()
    return int(loop.host.moment) * 1000 if isinstance(loop, WorkflowLoop) else None


_clocks = Clocks(_moment_ns)


_among_workflows = 0
"""The thread in which that is so."""
_outer_loop: asyncio.AbstractEventLoop | None = None
"""What runs there."""


@contextmanager
def among_workflows() -> Iterator[None]:
    """While loops are drained, one or many: time stands still for their code, and what happens to it was recorded."""
    global _among_workflows, _outer_loop  # noqa: PLW0603 - as the clocks that it stops, they are the process's
    before, _among_workflows = (_among_workflows, _outer_loop), get_ident()
    _outer_loop = asyncio._get_running_loop()
    # Without this the outer loop would finish the workflows' abandoned async generators.
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        with _clocks.standing_still():
            yield
    finally:
        _among_workflows, _outer_loop = before
        sys.set_asyncgen_hooks(*hooks)
