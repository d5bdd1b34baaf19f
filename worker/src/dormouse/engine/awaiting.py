"""Which calls has a workflow made and forgotten to await? Nothing of them happens, so it must not seem that it did."""

from __future__ import annotations

from collections.abc import Coroutine
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any

Made = tuple[Coroutine[Any, Any, Any], str, str | None]
"""A call of which nothing has happened: its coroutine, whose name it calls, and where."""


class NotAwaited(dict[int, Made]):
    """The calls that wait for their `await`, by number: each takes itself out with its first step, which only an
    `await` or a task brings about. Holding them also keeps Python from warning of them one by one.
    """

    def forgotten(self) -> list[tuple[str, str | None]]:
        """Name and source of those that could still begin: closing or cancelling one is a way of not wanting it."""
        made = self.values()
        return [(name, source) for coroutine, name, source in made if getcoroutinestate(coroutine) == CORO_CREATED]

    def close(self) -> None:
        """Nobody will await them any more."""
        for coroutine, _, _ in self.values():
            coroutine.close()
        self.clear()
