"""What does a database file say of its executions, without a runtime and without a change to it?

Files of older versions are read as they are, so only columns that every version has are asked for.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import msgspec

from dormouse.engine.clock import to_text
from dormouse.engine.mismatch import Blocked
from dormouse.engine.payload import Failure, decode_failure
from dormouse.engine.schema import MIGRATIONS
from dormouse.errors import DormouseError, InvalidInput, NewerFile, UnknownExecution
from dormouse.runtime.views import ErrorView, EventView, ExecutionsView, ExecutionView, WaitingView

_SELECT_EXECUTIONS = "SELECT key, id, workflow, status, started_at, closed_at, closed_position, blocked FROM execution "
_SELECT_EVENTS = (
    "SELECT position, kind, at, command, name, attempt, due, source, payload FROM event "
    "WHERE execution = ? AND position >= ? ORDER BY position"
)
_ENDS_OF_COMMANDS = ("Completed", "Failed", "Cancelled", "Fired")
_decode_blocked = msgspec.json.Decoder(Blocked).decode


class NotReadable(DormouseError):
    """The file cannot be read, or is no database of ours."""


class DatabaseFile:
    """Reads one file. Open it with `with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._connection = self._connect()
            self._check()
        except sqlite3.Error as error:
            self._opened.close()
            raise NotReadable(f"{self._path}: {error}; is it a database of Dormouse?") from error
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _connect(self) -> sqlite3.Connection:
        path, options = self._path.absolute(), "mode=ro"
        wal = path.with_name(f"{path.name}-wal")
        if not path.is_file():
            raise NotReadable(f"there is no file {self._path}")
        if not wal.exists() or wal.stat().st_size == 0:
            options = "immutable=1"  # else SQLite would make a WAL, only to read
        elif not path.with_name(f"{path.name}-shm").exists():
            path = self._copy(path, wal)  # left by a crash: to read the WAL is to recover it
        connection = sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True, isolation_level=None)
        self._opened.callback(connection.close)
        connection.execute("PRAGMA busy_timeout = 5000")
        return connection

    def _copy(self, path: Path, wal: Path) -> Path:
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="dormouse-")))
        shutil.copy(path, folder / "db.sqlite")
        shutil.copy(wal, folder / "db.sqlite-wal")
        return folder / "db.sqlite"

    def _check(self) -> None:
        tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"execution", "event", "dormouse_meta"} <= tables:
            raise NotReadable(f"{self._path} is a SQLite file, but not one of Dormouse")
        found = self._connection.execute("SELECT value FROM dormouse_meta WHERE key = 'engine_schema'").fetchone()
        if found is not None and int(found[0]) > len(MIGRATIONS):
            raise NewerFile(f"{self._path} was written by a newer Dormouse; install that one, or a later one")

    def executions(self, *, limit: int = 100, after: str | None = None) -> ExecutionsView:
        """The newest executions; `after` is the `next` of the last page."""
        if after is not None and not after.isdigit():
            raise InvalidInput(f"after must be the `next` of a page, not {after!r}")
        where, values = ("", []) if after is None else ("WHERE key < ? ", [int(after)])
        rows = self._connection.execute(
            f"{_SELECT_EXECUTIONS}{where}ORDER BY key DESC LIMIT ?",
            [*values, limit + 1],
        ).fetchall()
        following = str(rows[limit - 1][0]) if len(rows) > limit else None
        return ExecutionsView([_execution(row) for row in rows[:limit]], following)

    def show(self, execution_id: str) -> ExecutionView:
        """One execution as the file has it."""
        row = self._row(execution_id)
        view = _execution(row)
        if view.status == "Open":
            return msgspec.structs.replace(view, waits_for=waits_for(self._events(row[0])))
        return msgspec.structs.replace(view, error=self._error(row))

    def history(self, execution_id: str) -> list[EventView]:
        """What happened to it."""
        return self._events(self._row(execution_id)[0])

    def outcome(self, execution_id: str, timeout: float | None = None) -> ExecutionView:  # noqa: ARG002 - as a client's
        """One execution with its result or error, if it has one. Nobody waits for a file."""
        row = self._row(execution_id)
        view = msgspec.structs.replace(_execution(row), error=self._error(row))
        if view.status == "Completed":
            return msgspec.structs.replace(view, result=msgspec.Raw(self._ending(row)))
        return view

    def _row(self, execution_id: str) -> tuple[Any, ...]:
        row = self._connection.execute(f"{_SELECT_EXECUTIONS}WHERE id = ?", (execution_id,)).fetchone()
        if row is None:
            raise UnknownExecution(f"there is no execution {execution_id!r} in {self._path}")
        return tuple(row)

    def _ending(self, row: tuple[Any, ...]) -> bytes:
        (payload,) = self._connection.execute("SELECT payload FROM event WHERE position = ?", (row[6],)).fetchone()
        return payload or b"null"

    def _error(self, row: tuple[Any, ...]) -> ErrorView | None:
        if row[6] is None or row[3] == "Completed":
            return None
        return _error_view(decode_failure(self._ending(row)))

    def _events(self, key: int) -> list[EventView]:
        return [_event(row) for row in self._connection.execute(_SELECT_EVENTS, (key, key))]


def _execution(row: tuple[Any, ...]) -> ExecutionView:
    _, execution_id, workflow, status, started_at, closed_at, _, blocked = row
    return ExecutionView(
        execution_id,
        workflow,
        status,
        to_text(started_at),
        None if closed_at is None else to_text(closed_at),
        _decode_blocked(blocked) if blocked else None,
    )


def _event(row: tuple[Any, ...]) -> EventView:
    position, kind, at, command, name, attempt, due, source, payload = row
    return EventView(
        position,
        kind,
        to_text(at),
        command,
        name,
        attempt,
        None if due is None else to_text(due),
        source,
        msgspec.UNSET if payload is None else msgspec.Raw(payload),
    )


def _error_view(failure: Failure) -> ErrorView:
    return ErrorView(failure.type, failure.message, failure.source)


def waits_for(events: Iterable[EventView]) -> list[WaitingView]:
    """What an open execution waits for, of its events alone. Pure."""
    waiting: dict[int, WaitingView] = {}
    for event in events:
        if event.command is None:
            continue
        if event.kind == "ActivityScheduled":
            waiting[event.command] = WaitingView("activity", event.name, 1)
        elif event.kind == "TimerSet":
            waiting[event.command] = WaitingView("timer", due_at=event.due)
        elif event.kind == "AttemptFailed":
            failure = decode_failure(bytes(event.payload)) if event.payload is not msgspec.UNSET else None
            waiting[event.command] = WaitingView(
                "activity",
                waiting[event.command].name,
                (event.attempt or 0) + 1,
                None if failure is None else _error_view(failure),
                event.due,
            )
        elif event.kind.endswith(_ENDS_OF_COMMANDS):
            waiting.pop(event.command, None)
    return list(waiting.values())
