"""Which calls has a workflow made and forgotten to await? Nothing of them happens, so it must not seem that it did."""

from __future__ import annotations

from collections.abc import Coroutine
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any, NamedTuple


class Made(NamedTuple):
    """A call that has been made, of which nothing has happened."""

    coroutine: Coroutine[Any, Any, Any]
    name: str
    source: str | None


class NotAwaited:
    """The calls that wait for their `await`. Holding them also keeps Python from warning of them one by one."""

    def __init__(self) -> None:
        self._made: dict[int, Made] = {}
        self._count = 0

    def next_number(self) -> int:
        """What the coroutine that is made next is called."""
        self._count += 1
        return self._count

    def add(self, number: int, made: Made) -> Coroutine[Any, Any, Any]:
        self._made[number] = made
        return made.coroutine

    def began(self, number: int) -> None:
        """The coroutine's first step, which only an `await` or a task brings about."""
        del self._made[number]

    def forgotten(self) -> list[Made]:
        """Those that could still begin: closing or cancelling one is a way of not wanting it."""
        return [made for made in self._made.values() if _could_begin(made)]

    def close(self) -> None:
        """Nobody will await them any more."""
        for made in self._made.values():
            made.coroutine.close()
        self._made.clear()


def _could_begin(made: Made) -> bool:
    return getcoroutinestate(made.coroutine) == CORO_CREATED
