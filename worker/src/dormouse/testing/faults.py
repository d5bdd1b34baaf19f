"""What goes wrong in a test, and where? Attempts that fail, activities that are replaced, a process that dies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from dormouse.engine.calls import ActivityCall
from dormouse.engine.durability import LocalOnly
from dormouse.engine.outcomes import Run

Function = Callable[..., Any]


@dataclass(frozen=True)
class Failing:
    """The attempts of each call of an activity that have these numbers raise this."""

    error: BaseException
    attempts: Collection[int]


@dataclass
class Faults:
    """By the functions of activities, which all options of them share. Failures go by the number of the attempt, so
    they mean the same after a crash.
    """

    failing: dict[Function, Failing] = field(default_factory=dict)
    replaced: dict[Function, Function] = field(default_factory=dict)

    def around(self, run: Run) -> Run:
        """Run attempts so that the faults happen."""

        async def run_with_faults(call: ActivityCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            function = call.activity.function
            failing = self.failing.get(function)
            if failing is not None and call.attempt in failing.attempts:
                raise failing.error.with_traceback(None)
            if function not in self.replaced:
                return await run(call, args, kwargs)
            returned = self.replaced[function](*args, **kwargs)
            return await returned if inspect.isawaitable(returned) else returned

        return run_with_faults


class Crashed(Exception):
    """The process of a test has died, as it was told to."""


class CrashAfter(LocalOnly):
    """Lets the engine die right after a commit: it is in the file, and nothing that follows from it has happened."""

    def __init__(self, commits: int) -> None:
        self._commits = commits
        self._seen = 0

    @property
    def crashed(self) -> bool:
        return self._seen >= self._commits

    def before_commit(self) -> None:
        self._seen += 1

    def after_commit(self) -> None:
        if self.crashed:
            raise Crashed(f"the test has this process die after its commit number {self._commits}")
