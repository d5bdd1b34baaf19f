"""What does a test need of durable execution? A file of its own, time that jumps, faults, and a run in one line."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar, overload

from dormouse.engine.clock import ManualClock
from dormouse.engine.definitions import Activity, Workflow
from dormouse.errors import DormouseError, EngineStopped, InvalidDefinition
from dormouse.testing.engine import VirtualEngine
from dormouse.testing.faults import CrashAfter, Failing, Faults

P = ParamSpec("P")
R = TypeVar("R")
Input = TypeVar("Input")
_NO_INPUT: Any = object()
_MOST_CRASHES = 1000
__tracebackhide__ = True
"""A failing test shows its own lines."""


class Durable:
    """One test's world: a database file, a clock that jumps, and what goes wrong.

    Args:
        folder: an empty one, for files.
        most_jumps: how often the clock may jump while one result is awaited.

    Attributes:
        database: the file of `engine` and `run`.
        clock: what time it is in the test.
    """

    def __init__(self, folder: Path, *, most_jumps: int = 10_000) -> None:
        self.database = folder / "test.sqlite"
        self.clock = ManualClock()
        self._folder = folder
        self._most_jumps = most_jumps
        self._faults = Faults()
        self._crash_after: int | None = None
        self._runs = itertools.count(1)

    # What goes wrong.

    def fail(self, activity: Activity[..., Any], error: BaseException, *, attempts: int | Collection[int] = 1) -> None:
        """Have attempts of each call of an activity raise: the first so many, or those with these numbers.

        The others run for real.
        """
        _check_activity("fail", activity)
        numbers = range(1, attempts + 1) if isinstance(attempts, int) else frozenset(attempts)
        self._faults.failing[activity.function] = Failing(error, numbers)

    def replace(self, activity: Activity[P, R], function: Callable[P, R] | Callable[P, Awaitable[R]]) -> None:
        """Run this instead of an activity. Its result is written, and read, as the activity's would be."""
        _check_activity("replace", activity)
        self._faults.replaced[activity.function] = function

    def crash_after(self, commits: int) -> None:
        """Have the next engine die after so many commits: the last is in the file, and nothing else has happened.

        What is awaited then raises `EngineStopped`; `run` goes on with another engine instead.
        """
        if commits < 1:
            raise ValueError(f"an engine can die after 1 commit or more, not after {commits}")
        self._crash_after = commits

    # What runs.

    def engine(self, workflows: ModuleType | Iterable[Workflow[..., Any]]) -> VirtualEngine:
        """An engine on `database`, to be used with `async with`; the next one on it goes on where this one ends."""
        return self._engine(self.database, workflows, alone=False)

    @overload
    def run(self, workflow: Callable[[], Coroutine[Any, Any, R]], *, id: str | None = None) -> R: ...
    @overload
    def run(self, workflow: Callable[[Input], Coroutine[Any, Any, R]], input: Input, *, id: str | None = None) -> R: ...

    def run(self, workflow: Any, input: Any = _NO_INPUT, *, id: str | None = None) -> Any:  # noqa: A002
        """Run a workflow to its end and give its result; all of its module's workflows can be called by it.

        Raises:
            ExecutionFailed, ExecutionBlocked: when it has none.
            Stuck: when it waits for a message.
        """
        result, _ = self._run(self.database, workflow, input, id or f"run-{next(self._runs)}")
        return result

    @overload
    def run_with_each_crash(self, workflow: Callable[[], Coroutine[Any, Any, R]]) -> list[R]: ...
    @overload
    def run_with_each_crash(self, workflow: Callable[[Input], Coroutine[Any, Any, R]], input: Input) -> list[R]: ...

    def run_with_each_crash(self, workflow: Any, input: Any = _NO_INPUT) -> Any:  # noqa: A002
        """Run it again and again, each time from the start: with a crash after its first commit, after its second ...
        and at last without one. Gives all results; they should be the same.
        """
        results = []
        for commits in range(1, _MOST_CRASHES):
            self._crash_after = commits
            result, crashed = self._run(self._folder / f"crash-{commits}.sqlite", workflow, input, "run")
            results.append(result)
            if not crashed:
                return results
        raise DormouseError(f"{workflow.name} has more than {_MOST_CRASHES} commits; take a smaller input")

    # How.

    def _engine(
        self, path: Path, workflows: ModuleType | Iterable[Workflow[..., Any]], *, alone: bool
    ) -> VirtualEngine:
        # Without one the engine is by itself, and leaves the file whole: nothing of it in a WAL that a copy would miss.
        crash = None if self._crash_after is None else CrashAfter(self._crash_after)
        self._crash_after = None
        return VirtualEngine(
            path,
            workflows,
            clock=self.clock,
            faults=self._faults,
            crash=crash,
            most_jumps=self._most_jumps,
            alone=alone,
        )

    def _run(self, path: Path, workflow: Any, value: Any, execution_id: str) -> tuple[Any, bool]:
        """Its result, and whether the process died on the way."""
        given = () if value is _NO_INPUT else (value,)
        crashing = self._engine(path, _with_its_module(workflow), alone=True)
        try:
            return _run_once(crashing, workflow, given, execution_id), False
        except EngineStopped:
            if not crashing.crashed:
                raise
        again = self._engine(path, _with_its_module(workflow), alone=True)
        return _run_once(again, workflow, given, execution_id), True


def _run_once(engine: VirtualEngine, workflow: Any, given: tuple[Any, ...], execution_id: str) -> Any:
    async def run() -> Any:
        async with engine:
            return await (await engine.start(workflow, *given, id=execution_id)).result()

    try:
        return asyncio.run(run())
    except DormouseError as error:
        raise error.with_traceback(None) from error.__cause__  # the frames of the loop say nothing of the test


def _check_activity(verb: str, activity: object) -> None:
    if isinstance(activity, Workflow):
        raise InvalidDefinition(f"{verb} takes an activity, and {activity.name} is a workflow; {verb} its activities")
    if not isinstance(activity, Activity):
        raise InvalidDefinition(f"{verb} takes the activity itself, not {activity!r}")


def _with_its_module(workflow: Workflow[..., Any]) -> list[Workflow[..., Any]]:
    """Itself, and what else its module offers; a workflow that a test makes for itself goes before."""
    module = sys.modules.get(workflow.function.__module__)
    others = [one for one in vars(module).values() if isinstance(one, Workflow)] if module else []
    return [workflow, *(one for one in others if one.name != workflow.name)]
