"""Which executions must not go on until somebody says so? Those that a fork has from its source.

The file keeps their numbers. They are not replayed, none of their timers rings, and messages to them are refused: so
nothing of them happens twice, in the source and in the fork, unless somebody wants it to.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dormouse.errors import ExecutionClosed, ExecutionPaused

if TYPE_CHECKING:
    from dormouse.engine.database import Database
    from dormouse.engine.dormancy import Dormancy
    from dormouse.engine.registry import Registry
    from dormouse.engine.turns import Turns

ASKED = "pause_open_executions"
"""The key under which whoever restores a file asks for it, before any engine opens it."""


def pause_as_asked(connection: sqlite3.Connection) -> None:
    """Pause what is open in the file, if that was asked for; once, so that what begins later goes on."""
    if connection.execute("SELECT 1 FROM dormouse_meta WHERE key = ?", (ASKED,)).fetchone() is None:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "INSERT OR IGNORE INTO dormouse_paused SELECT key FROM execution WHERE status IN ('Open', 'Blocked')"
        )
        connection.execute("DELETE FROM dormouse_meta WHERE key = ?", (ASKED,))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def paused(execution_id: str) -> ExecutionPaused:
    """Why it takes no message."""
    return ExecutionPaused(
        f"execution {execution_id!r} is paused since this workflow was restored from another one; let it go on with "
        f"`dormouse resume TARGET --execution {execution_id}` first"
    )


def family_of(key: int, parents: Mapping[int, int | None]) -> set[int]:
    """It, those that it was called by, and all that any of them have called: none can go on without the others. Pure.

    Args:
        key: an execution's number.
        parents: of every paused execution.
    """
    oldest = key
    while (parent := parents.get(oldest)) is not None and parent in parents:
        oldest = parent
    found, more = {oldest}, True
    while more:
        children = {one for one, parent in parents.items() if parent in found} - found
        found |= children
        more = bool(children)
    return found


class Pausing:
    """Lets paused executions go on."""

    def __init__(self, turns: Turns, registry: Registry, dormancy: Dormancy, database: Database) -> None:
        self._turns = turns
        self._registry = registry
        self._dormancy = dormancy
        self._database = database

    async def resume(self, row_key: int) -> None:
        """Let one go on, with those that it has called and was called by; one that is not paused does already."""

        def decide(_: int, answer: asyncio.Future[None]) -> None:
            row = self._database.execution_by_key(row_key)
            if row.status.closed:
                raise ExecutionClosed(f"execution {row.id!r} has ended; start a new one, or retry this one")
            if row_key in self._registry.paused:
                self._let_go_on(family_of(row_key, self._database.parents(self._registry.paused)))
            self._turns.journal.batch.answers.append((answer, None))

        await self._turns.ask(decide)

    async def resume_all(self) -> int:
        """Let all go on; how many there were."""

        def decide(_: int, answer: asyncio.Future[int]) -> None:
            keys = list(self._registry.paused)
            self._let_go_on(keys)
            self._turns.journal.batch.answers.append((answer, len(keys)))

        count: int = await self._turns.ask(decide)
        return count

    def _let_go_on(self, keys: Iterable[int]) -> None:
        numbers = [(key,) for key in sorted(keys)]
        for (key,) in numbers:
            self._registry.add_dormant(self._registry.paused.pop(key))
        for (key,) in numbers:
            self._dormancy.find_by_number(key)

        def forget(write: sqlite3.Connection) -> None:
            write.executemany("DELETE FROM dormouse_paused WHERE execution = ?", numbers)

        if numbers:
            self._turns.journal.batch.also.append(forget)
