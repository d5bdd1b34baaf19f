"""How does a file become another one that tells what happened, but not with which values?

It is written anew, from what is known to be harmless: a table, a column or a key of ours that is not named here is
not in it, nor is anything of free pages, of the WAL, of indexes or of the definitions of the user's tables.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from dormouse.client.forks import forks_of, put_forks
from dormouse.client.opening import opened_to_read
from dormouse.commands.copies import REDACTED
from dormouse.engine.ending import Status
from dormouse.engine.folding import LARGE
from dormouse.engine.journal import Event, Kind
from dormouse.engine.pausing import ASKED as PAUSE_IS_ASKED
from dormouse.engine.schema import bring_up_to_date
from dormouse.engine.sealing import Codec
from dormouse.engine.standing import Waiting
from dormouse.engine.stored import PayloadsWriter, StoredPayloads
from dormouse.errors import CannotDecode
from dormouse_observer.exporting.placeholders import UNREADABLE, Placeholders, name, number, source, traceparent

EXECUTION_COLUMNS = (
    "key", "id", "workflow", "status", "seed", "request", "idempotency_key", "started_at", "closed_at",
    "closed_position", "blocked", "app_version", "parent", "parent_command", "asleep_position", "asleep_until",
    "waiting", "traceparent",
)  # fmt: skip
_NUMBERS_OF_EXECUTION = (
    "key", "started_at", "closed_at", "closed_position", "parent", "parent_command", "asleep_position", "asleep_until",
)  # fmt: skip
NUMBERS = {
    "timer": ("execution", "command", "due_at"),
    "dormouse_approval": ("position", "execution"),
    "dormouse_run": ("id", "execution", "last", "first", "ended_at"),
    "dormouse_paused": ("execution",),
}
"""Tables that hold nothing but positions and moments."""
_OURS = ("dormouse_", "_litestream", "sqlite_")
_OWN_TABLES = frozenset({"execution", "event", "timer", "heartbeat"})
_EVENTS_AT_ONCE = 500
_KINDS, _STATUSES = frozenset(Kind), frozenset(Status)
_CHILDREN = frozenset({Kind.CHILD_STARTED, Kind.CHILD_COMPLETED, Kind.CHILD_FAILED, Kind.CHILD_CANCELLED})
_decode_waiting = msgspec.json.Decoder(list[Waiting]).decode


def redact(source_file: Path, target: Path, codec: Codec | None, *, keeps_names: bool) -> None:
    """Write `target`, which is not there yet. It has an identity of its own, and an engine pauses what is open in it.

    Raises:
        NotReadable: when there is no such file.
        sqlite3.Error: when it is damaged.
    """
    with opened_to_read(source_file) as original, closing(sqlite3.connect(target, isolation_level=None)) as copy:
        original.execute("BEGIN")
        original.text_factory = _as_text
        bring_up_to_date(copy, target)
        _Copying(original, copy, codec, Placeholders(keeps_names=keeps_names)).run()


def _as_text(stored: bytes) -> str:
    return stored.decode(errors="replace")


class _Copying:
    """From one connection to the other."""

    def __init__(
        self, original: sqlite3.Connection, copy: sqlite3.Connection, codec: Codec | None, placeholders: Placeholders
    ) -> None:
        self._original = original
        self._copy = copy
        self._payloads = StoredPayloads(original, codec)
        self._placeholders = placeholders
        self._writer = PayloadsWriter(copy, None, 1)  # in a transaction of its own
        self._runs: dict[int, int] = {}

    def run(self) -> None:
        self._copy.execute("BEGIN IMMEDIATE")
        with self._copy:
            self._copy_executions()
            self._copy_events()
            self._copy_heartbeats()
            for table, columns in NUMBERS.items():
                rows = (tuple(map(number, row)) for row in self._rows(table, columns))
                self._insert(table, columns, rows, "INSERT OR IGNORE")  # what holds something else is left out
            for table in self._tables_of_the_user():
                self._copy_table(table)
            self._copy_forks()
            identity = f"{REDACTED}{secrets.token_hex(8)}"
            self._copy.execute("INSERT OR REPLACE INTO dormouse_meta VALUES ('identity', ?)", (identity,))
            self._copy.execute("INSERT INTO dormouse_meta VALUES (?, 'true')", (PAUSE_IS_ASKED,))

    def _copy_forks(self) -> None:
        """Which answers were edited, but not what somebody has called the file."""
        ids = {execution for (execution,) in self._copy.execute("SELECT id FROM execution")}
        forks = [replace(one, file="", workflow="") for one in forks_of(self._original) if one.execution in ids]
        if forks:
            put_forks(self._copy, forks)

    def _copy_executions(self) -> None:
        rows = self._rows("execution", EXECUTION_COLUMNS)
        self._insert("execution", EXECUTION_COLUMNS, map(self._execution, rows))

    def _execution(self, row: Sequence[Any]) -> tuple[object, ...]:
        has = dict(zip(EXECUTION_COLUMNS, row, strict=True))
        kept: dict[str, object] = {
            **{column: name(has[column]) for column in ("id", "workflow", "app_version")},
            **{column: number(has[column]) for column in _NUMBERS_OF_EXECUTION},
            "status": has["status"] if has["status"] in _STATUSES else Status.OPEN,
            # From the seed come the random numbers that a workflow has drawn, and of a fingerprint values can be
            # tried out.
            "seed": bytes(16),
            "request": b"\0",
            "idempotency_key": self._placeholders.key(has["idempotency_key"]),
            "blocked": self._blocked(has["blocked"], has["key"]),
            "waiting": self._waiting(has["waiting"]),
            "traceparent": traceparent(has["traceparent"]),
        }
        return tuple(kept[column] for column in EXECUTION_COLUMNS)

    def _blocked(self, stored: Any, key: int) -> bytes | None:
        if not stored:
            return None
        try:
            blocked = self._payloads.blocked(stored, key)
        except (CannotDecode, msgspec.DecodeError, msgspec.ValidationError):
            return b'{"reason":"Unknown","message":"<unreadable>"}'
        return None if blocked is None else msgspec.json.encode(self._placeholders.blocked(blocked))

    def _waiting(self, stored: Any) -> bytes | None:
        if stored is None:
            return None
        try:
            waiting = _decode_waiting(stored)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return b"[]"
        return msgspec.json.encode([self._placeholders.waiting(one) for one in waiting])

    def _copy_events(self) -> None:
        rows = self._rows("event", Event._fields, "ORDER BY position")
        while batch := rows.fetchmany(_EVENTS_AT_ONCE):
            self._put_events([self._event(event) for event in self._payloads.events(batch)])

    def _event(self, event: Event) -> Event:
        kind = event.kind if event.kind in _KINDS else "Unknown"
        if event.previous is None:
            self._runs[event.execution] = event.position
        return Event(*event)._replace(  # that of a file reads its payload when it is asked for it
            position=number(event.position) or 0,
            execution=number(event.execution) or 0,
            kind=kind,
            at=number(event.at) or 0,
            previous=number(event.previous),
            command=number(event.command),
            name=name(event.name),
            attempt=number(event.attempt),
            due=number(event.due),
            payload=self._payload(event, kind),
            source=source(event.source),
            key=name(event.key) if kind in _CHILDREN else self._placeholders.key(event.key),
        )

    def _payload(self, event: Event, kind: str) -> bytes | None:
        try:
            payload = event.payload
        except (CannotDecode, sqlite3.DatabaseError):
            payload = UNREADABLE
        return None if payload is None else self._placeholders.payload(kind, payload)

    def _put_events(self, events: list[Event]) -> None:
        large = {
            event.position: self._runs.setdefault(event.execution, event.position)
            for event in events
            if len(event.payload or b"") > LARGE
        }
        self._insert("event", Event._fields, self._writer.events(events, large))

    def _copy_heartbeats(self) -> None:
        columns = ("execution", "command", "details")
        self._insert("heartbeat", columns, (self._heartbeat(*row) for row in self._rows("heartbeat", columns)))

    def _heartbeat(self, execution: Any, command: Any, details: Any) -> tuple[int, int, bytes]:
        try:
            payload = self._payloads.heartbeat(bytes(details), execution, command)
        except CannotDecode:
            payload = UNREADABLE
        return number(execution) or 0, number(command) or 0, self._placeholders.json(payload)

    # Tables of the user.

    def _tables_of_the_user(self) -> list[str]:
        """With their virtual tables, but not with what those keep their content in."""
        found = self._original.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
        return [
            str(table)
            for table, kind in found.fetchall()
            if kind in ("table", "virtual") and table not in _OWN_TABLES and not table.startswith(_OURS)
        ]

    def _copy_table(self, table: str) -> None:
        rows = self._original.execute(f"SELECT * FROM {_quoted(table)}")  # noqa: S608 - quoted
        columns = [column for column, *_ in rows.description]
        self._copy.execute(f"CREATE TABLE {_quoted(table)} ({', '.join(map(_quoted, columns))})")
        self._insert(table, columns, (tuple(map(self._placeholders.cell, row)) for row in rows))

    # Both sides.

    def _rows(self, table: str, columns: Sequence[str], order: str = "") -> sqlite3.Cursor:
        """A column that an older file lacks is empty, and so is a table."""
        has = {column for _, column, *_ in self._original.execute(f"PRAGMA table_info({table})")}
        selected = ", ".join(column if column in has else f"NULL AS {column}" for column in columns)
        query = f"SELECT {selected} FROM {table} {order}" if has else f"SELECT {selected} WHERE 0"  # noqa: S608 - ours
        return self._original.execute(query)

    def _insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterator[Sequence[object]] | Sequence[Sequence[object]],
        insert: str = "INSERT",
    ) -> None:
        names, marks = ", ".join(map(_quoted, columns)), ", ".join("?" * len(columns))
        self._copy.executemany(f"{insert} INTO {_quoted(table)} ({names}) VALUES ({marks})", rows)


def _quoted(identifier: str) -> str:
    doubled = identifier.replace('"', '""')
    return f'"{doubled}"'
