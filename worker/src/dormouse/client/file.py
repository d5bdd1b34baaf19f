"""What does a database file say of its executions, without a runtime and without a change to it?

Files of older versions are read as they are: a column that they lack is empty.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from dormouse.client.forks import Fork, forks_of
from dormouse.client.opening import NotReadable, opened_to_read, unreadable
from dormouse.engine.ending import Status
from dormouse.engine.journal import Event, Kind
from dormouse.engine.listing import check_workflow, wanted
from dormouse.engine.log import what_counts
from dormouse.engine.payload import decode_failure
from dormouse.engine.querying import SELECT_PENDING_APPROVALS, Row, row_of
from dormouse.engine.reading import pending_approval
from dormouse.engine.requests import page_begins
from dormouse.engine.schema import MIGRATIONS
from dormouse.engine.sealing import Codec
from dormouse.engine.standing import Waiting
from dormouse.engine.stored import StoredPayloads
from dormouse.errors import NewerFile, UnknownExecution
from dormouse.runtime.views import (
    ApprovalsView,
    EventView,
    ExecutionsView,
    ExecutionView,
    approvals_view,
    event_view,
    execution_view,
    executions_view,
)

_decode_waiting = msgspec.json.Decoder(list[Waiting]).decode
_ENDS_OF_COMMANDS = ("Completed", "Failed", "Cancelled", "Fired", "Decided", "Expired", "Withdrawn")


class DatabaseFile:
    """Reads one file. Open it with `with`.

    Args:
        path: the file.
        codec: of the file. Without it, what needs no payload of a file that has one can be read all the same.

    Attributes:
        path: the file.
        identity: what the workflow's idempotency keys begin with; None when nobody has run the file yet.
        forks: what it is a fork of, the oldest first.
    """

    identity: str | None
    forks: tuple[Fork, ...]

    def __init__(self, path: Path, codec: Codec | None = None) -> None:
        self.path = self._path = path
        self._codec = codec
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._connection = self._opened.enter_context(opened_to_read(self._path))
            self._check()
        except sqlite3.Error as error:
            self._opened.close()
            raise unreadable(self._path, error) from error
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _check(self) -> None:
        tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"execution", "event", "dormouse_meta"} <= tables:
            raise NotReadable(
                f"{self._path} is a SQLite file, but not one of Dormouse: it is another file than was meant, or an "
                f"unfinished copy; name a workflow's database{self._advice()}"
            )
        found = self._connection.execute("SELECT value FROM dormouse_meta WHERE key = 'engine_schema'").fetchone()
        if found is not None and int(found[0]) > len(MIGRATIONS):
            raise NewerFile(f"{self._path} was written by a newer Dormouse; install that one, or a later one")
        told = self._connection.execute("SELECT value FROM dormouse_meta WHERE key = 'identity'").fetchone()
        self.identity = None if told is None else str(told[0])
        self.forks = forks_of(self._connection)
        self._has_approvals = "dormouse_approval" in tables
        self._has_paused = "dormouse_paused" in tables
        columns = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(execution)")}
        self._has_waiting = "waiting" in columns
        self._select_rows = self._select("execution", Row.__struct_fields__)
        self._select_events = self._select("event", Event._fields)
        self._payloads = StoredPayloads(self._connection, self._codec)

    def _advice(self) -> str:
        """A copy of a file that was in use is empty, or old: its newest part was in the WAL."""
        wal = f"{self._path.name}-wal"
        if self._path.with_name(wal).exists():
            return ""
        return (
            f"; if it is a copy, what was written last stayed in the original's -wal: copy that as {wal} too, "
            f"or end the runtime first, or copy with sqlite3 ORIGINAL '.backup {self._path.name}'"
        )

    def _select(self, table: str, wanted: Sequence[str]) -> str:
        has = {name for _, name, *_ in self._connection.execute(f"PRAGMA table_info({table})")}
        columns = ", ".join(name if name in has else f"NULL AS {name}" for name in wanted)
        return f"SELECT {columns} FROM {table} "  # noqa: S608 - names of our own

    # As the API shows them.

    def executions(
        self, *, status: str | None = None, workflow: str | None = None, limit: int = 100, after: str | None = None
    ) -> ExecutionsView:
        """The newest executions, all or those of a status and a workflow; `after` is the `next` of the last page."""
        begins = sys.maxsize if after is None else page_begins(after) - 1
        where, values = wanted(status, workflow).where(up_to=sys.maxsize, begins=begins)
        rows = self._rows(f"WHERE {where} ORDER BY key DESC LIMIT ?", *values, limit + 1)
        if not rows and workflow is not None:
            known = self._connection.execute("SELECT DISTINCT workflow FROM execution")
            check_workflow(workflow, (name for (name,) in known), f" among the executions in {self._path}")
        return executions_view(rows, limit)

    def show(self, execution_id: str) -> ExecutionView:
        """One execution as the file has it. Which signals it waits for is only known of one that has left memory."""
        row = self.row(execution_id)
        waiting = (self._told(row) or waits_for(self.events(row))) if row.status == Status.OPEN else None
        if waiting is not None and self._is_paused(row):
            waiting = [Waiting("resume")]
        return execution_view(row, self._ending(row), waiting)

    def _told(self, row: Row) -> list[Waiting]:
        """What was written down when it left memory."""
        if not self._has_waiting:
            return []
        (told,) = self._connection.execute("SELECT waiting FROM execution WHERE key = ?", (row.key,)).fetchone()
        return [] if told is None else _decode_waiting(told)

    def _is_paused(self, row: Row) -> bool:
        query = "SELECT 1 FROM dormouse_paused WHERE execution = ?"
        return self._has_paused and self._connection.execute(query, (row.key,)).fetchone() is not None

    def history(self, execution_id: str) -> list[EventView]:
        """What happened to it."""
        return [event_view(event) for event in self.events(self.row(execution_id))]

    def outcome(self, execution_id: str, timeout: float | None = None) -> ExecutionView:  # noqa: ARG002 - as a client's
        """One execution with its result or error, if it has one. Nobody waits for a file."""
        row = self.row(execution_id)
        return execution_view(row, self._ending(row), with_result=True)

    def approvals(
        self, *, limit: int = 100, after: str | None = None, execution_id: str | None = None
    ) -> ApprovalsView:
        """What workflows wait to be approved of; `after` is the `next` of the last page."""
        key = None if execution_id is None else self.row(execution_id).key
        if not self._has_approvals:
            return ApprovalsView([])
        values = (0 if after is None else page_begins(after), sys.maxsize, key, key, limit + 1)
        found = self._connection.execute(SELECT_PENDING_APPROVALS, values).fetchall()
        pending = [pending_approval(one, workflow, self._event(position)) for position, one, workflow in found]
        return approvals_view(pending, limit)

    # As the engine knows them.

    def rows(self) -> list[Row]:
        """All executions, the oldest first."""
        return self._rows("ORDER BY key")

    def row(self, execution_id: str) -> Row:
        """Raises UnknownExecution."""
        rows = self._rows("WHERE id = ?", execution_id)
        if not rows:
            raise UnknownExecution(f"there is no execution {execution_id!r} in {self._path}")
        return rows[0]

    def events(self, row: Row) -> list[Event]:
        """The log of an execution's newest run, to be read while the file is open."""
        query = f"{self._select_events}WHERE execution = ? AND position >= ? ORDER BY position"
        events = self._payloads.events(self._connection.execute(query, (row.key, row.key)))
        begins = (number for number, event in enumerate(events) if event.kind == Kind.EXECUTION_CONTINUED)
        return events[max(begins, default=0) :]

    def _ending(self, row: Row) -> Event | None:
        return None if row.closed_position is None else self._event(row.closed_position)

    def _event(self, position: int) -> Event:
        query = f"{self._select_events}WHERE position = ?"
        return self._payloads.event(self._connection.execute(query, (position,)).fetchone())

    def _rows(self, where: str, *values: object) -> list[Row]:
        found = self._connection.execute(self._select_rows + where, values)
        return [row_of(row, self._payloads) for row in found]


def waits_for(events: Sequence[Event]) -> list[Waiting]:
    """What an open execution waits for, of its events alone. Pure."""
    waiting: dict[int, Waiting] = {}
    for event in what_counts(events):
        if event.command is None:
            continue
        if event.kind == Kind.ACTIVITY_SCHEDULED:
            waiting[event.command] = Waiting("activity", event.name, 1, source=event.source)
        elif event.kind == Kind.TIMER_SET:
            waiting[event.command] = Waiting("timer", due=event.due, source=event.source)
        elif event.kind == Kind.CHILD_STARTED:
            waiting[event.command] = Waiting("child", event.name, id=event.key, source=event.source)
        elif event.kind == Kind.APPROVAL_REQUESTED:
            waiting[event.command] = Waiting("approval", event.name, due=event.due, id=event.key, source=event.source)
        elif event.kind == Kind.ATTEMPT_FAILED and event.command in waiting:
            waiting[event.command] = Waiting(
                "activity",
                waiting[event.command].name,
                (event.attempt or 0) + 1,
                decode_failure(event.payload or b"null"),
                event.due,
                source=waiting[event.command].source,
            )
        elif event.kind.endswith(_ENDS_OF_COMMANDS):
            waiting.pop(event.command, None)
    return list(waiting.values())
