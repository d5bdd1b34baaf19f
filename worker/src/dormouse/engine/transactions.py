"""How does a step write into the user's own tables? In the transaction that records its result, so both or neither.

All steps of a turn share one transaction, which the turn's own rows join. Each step has a savepoint: what one that
fails has written is taken back, and the others stay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dormouse.engine.calls import ActivityCall
from dormouse.engine.outcomes import Outcome, Succeeded
from dormouse.errors import TransactionRefused

_OURS = frozenset({"execution", "execution_open", "execution_closed", "event", "event_key", "timer", "heartbeat"})
_OUR_PREFIXES = ("dormouse_", "_litestream_", "sqlite_autoindex_execution_", "sqlite_autoindex_dormouse_")
# Which arguments of each action are names of tables and indexes; what is not here is refused.
_FIRST, _SECOND, _BOTH, _NONE = (0,), (1,), (0, 1), ()
_NAMES = {
    sqlite3.SQLITE_SELECT: _NONE,
    sqlite3.SQLITE_FUNCTION: _NONE,
    sqlite3.SQLITE_RECURSIVE: _NONE,
    sqlite3.SQLITE_READ: _FIRST,
    sqlite3.SQLITE_INSERT: _FIRST,
    sqlite3.SQLITE_UPDATE: _FIRST,
    sqlite3.SQLITE_DELETE: _FIRST,
    sqlite3.SQLITE_CREATE_TABLE: _FIRST,
    sqlite3.SQLITE_CREATE_VTABLE: _FIRST,
    sqlite3.SQLITE_CREATE_VIEW: _FIRST,
    sqlite3.SQLITE_CREATE_INDEX: _BOTH,
    sqlite3.SQLITE_CREATE_TRIGGER: _BOTH,
    sqlite3.SQLITE_ALTER_TABLE: _SECOND,
    sqlite3.SQLITE_DROP_TABLE: _FIRST,
    sqlite3.SQLITE_DROP_VTABLE: _FIRST,
    sqlite3.SQLITE_DROP_VIEW: _FIRST,
    sqlite3.SQLITE_DROP_INDEX: _BOTH,
    sqlite3.SQLITE_DROP_TRIGGER: _BOTH,
    sqlite3.SQLITE_REINDEX: _FIRST,
    sqlite3.SQLITE_SAVEPOINT: _SECOND,
}
_SAVEPOINT = "dormouse_step"


def refused(action: int, first: str | None, second: str | None) -> str | None:
    """What of SQLite's view of a statement is not for a step; None when nothing is. Pure."""
    places = _NAMES.get(action)
    if places is None:
        return "BEGIN, COMMIT, ROLLBACK, ATTACH, PRAGMA, ANALYZE and what is temporary are the engine's alone"
    for name in ((first, second)[place] or "" for place in places):
        if name.lower() in _OURS or name.lower().startswith(_OUR_PREFIXES):
            return f"{name} is the engine's; give your tables names of their own, without dormouse_ before them"
    return None


class Transactions:
    """Runs steps on the writer's connection, in the transaction that is open."""

    def __init__(self, writer: sqlite3.Connection) -> None:
        self._writer = writer
        self._refusal: str | None = None

    def run(
        self, calls: Iterable[ActivityCall], attempt: Callable[[ActivityCall], Outcome]
    ) -> list[tuple[ActivityCall, Outcome]]:
        """What an attempt of each came to. It begins the transaction, and leaves it open."""
        ended: dict[ActivityCall, Outcome] = {}
        todo = list(calls)
        while todo:
            self._writer.execute("BEGIN IMMEDIATE")
            for call in todo:
                outcome = self._one(call, attempt)
                ended[call] = outcome
                if not self._writer.in_transaction:
                    # Its SQL has taken back what the others had written as well: those run again, without it.
                    todo.remove(call)
                    break
            else:
                break
        return list(ended.items())

    def call(self, function: Callable[[sqlite3.Connection], Any]) -> Any:
        """Let a step's function use the connection.

        Raises:
            TransactionRefused: when it asked for what is not for a step.
        """
        with self._restricted() as connection:
            try:
                result = function(connection)
            except sqlite3.Error as error:
                if self._refusal is not None:
                    raise TransactionRefused(f"a transaction may not do that: {self._refusal}") from error
                raise
        if not connection.in_transaction:
            raise TransactionRefused("a transaction may not end itself: do without ON CONFLICT ROLLBACK")
        return result

    def _one(self, call: ActivityCall, attempt: Callable[[ActivityCall], Outcome]) -> Outcome:
        self._writer.execute(f"SAVEPOINT {_SAVEPOINT}")
        outcome = attempt(call)
        if self._writer.in_transaction:
            if not isinstance(outcome, Succeeded):
                self._writer.execute(f"ROLLBACK TO {_SAVEPOINT}")
            self._writer.execute(f"RELEASE {_SAVEPOINT}")
        return outcome

    @contextmanager
    def _restricted(self) -> Iterator[sqlite3.Connection]:
        connection, self._refusal = self._writer, None
        shape = connection.row_factory, connection.text_factory
        connection.set_authorizer(self._authorize)
        try:
            yield connection
        finally:
            connection.set_authorizer(None)
            connection.row_factory, connection.text_factory = shape

    def _authorize(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        self._refusal = self._refusal or refused(action, first, second)
        return sqlite3.SQLITE_OK if self._refusal is None else sqlite3.SQLITE_DENY
