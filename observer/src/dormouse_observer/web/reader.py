"""What do the pages ask a file? Never a whole log, and never more of a payload than is shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from dormouse.client.file import DatabaseFile, waits_for
from dormouse.engine.ending import Status
from dormouse.engine.journal import Event
from dormouse.engine.mismatch import Blocked
from dormouse.engine.payload import Failure, decode_failure
from dormouse.engine.sealing import SEALED
from dormouse.engine.standing import Waiting
from dormouse.errors import CannotDecode, UnknownExecution
from dormouse_observer.web.durations import took
from dormouse_observer.web.listing import LARGEST_KEY, PAGE, Filters
from dormouse_observer.web.log_index import LogIndex
from dormouse_observer.web.payload_view import preview

_LISTED = (
    "key", "id", "workflow", "status", "started_at", "closed_at", "closed_position", "blocked", "app_version",
    "parent", "parent_command", "waiting", "traceparent",
)  # fmt: skip
_LOGGED = ("position", "kind", "at", "command", "name", "attempt", "due", "source", "key")
_HEAD_BYTES = 1200
_MOST_WAITED_FOR = 20
_MOST_INDEXED_EVENTS = 500_000
_SEALED_HEAD_BYTES = 2048

_decode_waiting = msgspec.json.Decoder(list[Waiting]).decode


@dataclass(frozen=True)
class Listed:
    """An execution, without anything that could be encrypted."""

    key: int
    id: str
    workflow: str
    status: str
    started_at: int
    closed_at: int | None
    closed_position: int | None
    blocked: bytes | None
    app_version: str | None
    parent: int | None
    parent_command: int | None
    waiting: bytes | None
    traceparent: str | None

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self.status not in (Status.OPEN, Status.BLOCKED)


@dataclass(frozen=True)
class Entry:
    """An event, with the beginning of its payload.

    Attributes:
        size: of the payload as it is stored, in bytes; None when it has none.
        preview: a line of it; None where the key to it is missing.
    """

    position: int
    kind: str
    at: int
    command: int | None
    name: str | None
    attempt: int | None
    due: int | None
    source: str | None
    key: str | None
    size: int | None
    preview: str | None


@dataclass(frozen=True)
class Table:
    """A table that is not Dormouse's own."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """Why an execution stands where it does.

    Attributes:
        waiting: what it waits for, as far as a page shows it; `more` says how many others there are.
        failure: of one that did not complete.
        unreadable: which key is missing, if that is why something of this is not known.
        took: how long, of one that has ended.
    """

    waiting: tuple[Waiting, ...] = ()
    more: int = 0
    failure: Failure | None = None
    blocked: Blocked | None = None
    unreadable: str | None = None
    took: str = ""


class PagedFile(DatabaseFile):
    """A file of which parts are read. It remembers where in the logs things lie, as long as it is open."""

    _indexes: dict[int, LogIndex]
    agents: dict[int, bool]
    """Of which executions it is known whether they are agents, by key."""

    def __enter__(self) -> Self:
        super().__enter__()
        self._indexes = {}
        self.agents = {}
        has = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(execution)")}
        self._listed = ", ".join(name if name in has else "NULL" for name in _LISTED)
        has = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(event)")}
        self._logged = ", ".join(name if name in has else "NULL" for name in _LOGGED)
        return self

    # Executions.

    def listed(self, filters: Filters) -> tuple[list[Listed], bool]:
        """A page of the list, and whether there is another one after it."""
        where, values = filters.where()
        found = self._find(f"WHERE {where} LIMIT ?", *values, PAGE + 1)
        return found[:PAGE], len(found) > PAGE

    def one(self, execution_id: str) -> Listed:
        """Raises UnknownExecution."""
        found = self._find("WHERE id = ?", execution_id)
        if not found:
            raise UnknownExecution(f"there is no execution {execution_id!r} in {self._path}")
        return found[0]

    def family(self) -> list[Listed]:
        """All executions, the oldest first."""
        return self._find("ORDER BY key")

    def parent_of(self, row: Listed) -> Listed | None:
        """The execution that called this one, if it is still in the file."""
        return None if row.parent is None else next(iter(self._find("WHERE key = ?", row.parent)), None)

    def below(self, row: Listed, most: int) -> list[Listed]:
        """Those that it called, then those that they called, and so on, but not more than that many."""
        # One that is found again is not followed again, so a file in which they call each other in a ring ends too.
        found = self._connection.execute(
            "WITH RECURSIVE below (key) AS (SELECT ? UNION SELECT called.key FROM execution AS called "
            "JOIN below ON called.parent = below.key LIMIT ?) SELECT key FROM below",
            (row.key, most + 1),
        )
        keys = [key for (key,) in found.fetchall() if key != row.key]
        return self._find(f"WHERE key IN ({', '.join('?' * len(keys))}) ORDER BY key", *keys)

    def child_of(self, row: Listed, command: int | None) -> Listed | None:
        """The execution that this one called with that command, if it is still in the file."""
        return next(iter(self._find("WHERE parent = ? AND parent_command = ?", row.key, command)), None)

    def counts(self) -> dict[str, int]:
        """How many executions there are of each status."""
        found = self._connection.execute("SELECT status, count(*) FROM execution GROUP BY status")
        return {str(status): count for status, count in found}

    def workflows(self) -> list[str]:
        """Of which workflows there are executions."""
        return [str(name) for (name,) in self._connection.execute("SELECT DISTINCT workflow FROM execution ORDER BY 1")]

    def tables(self) -> list[Table]:
        """Those of the user."""
        own = {"execution", "event", "timer", "heartbeat"}
        names = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [
            Table(name, tuple(column for _, column, *_ in self._connection.execute(f'PRAGMA table_info("{quoted}")')))
            for (name,) in names.fetchall()
            if name not in own and not name.startswith(("dormouse_", "sqlite_", "_litestream"))
            for quoted in [name.replace('"', '""')]
        ]

    def standings(self, rows: Sequence[Listed]) -> dict[int, Standing]:
        """Why each of these stands where it does, by key."""
        awake = [row.key for row in rows if row.status == Status.OPEN and row.waiting is None]
        self._index(awake)
        return {row.key: self._standing(row) for row in rows}

    def _standing(self, row: Listed) -> Standing:
        spent = took(row.started_at, row.closed_at or row.started_at, self.forks) if row.is_closed else ""
        try:
            if row.status == Status.BLOCKED:
                return Standing(blocked=self._payloads.blocked(row.blocked, row.key))
            if row.is_closed:
                return Standing(failure=self._failure(row), took=spent)
            if (
                self._has_paused
                and self._connection.execute("SELECT 1 FROM dormouse_paused WHERE execution = ?", (row.key,)).fetchone()
            ):
                return Standing((Waiting("resume"),))
            waiting = self._waiting(row)
            return Standing(tuple(waiting[:_MOST_WAITED_FOR]), max(0, len(waiting) - _MOST_WAITED_FOR))
        except CannotDecode as missing:
            return Standing(unreadable=str(missing), took=spent)

    def _failure(self, row: Listed) -> Failure | None:
        if row.status == Status.COMPLETED or row.closed_position is None:
            return None
        return decode_failure(self.payload(row.closed_position) or b"null")

    def _waiting(self, row: Listed) -> list[Waiting]:
        if row.waiting is not None:
            return _decode_waiting(row.waiting)
        index = self.index(row.key)
        if index.was_retried:
            return waits_for(self.events(self.row(row.id)))
        calls = list(index.open.values())
        numbers = [index.begins[call] for call in calls[:_MOST_WAITED_FOR]]
        numbers += [index.attempts[call][-1] for call in calls[:_MOST_WAITED_FOR] if call in index.attempts]
        known = waits_for([self._event(index.positions[number]) for number in sorted(numbers)])
        return known + [Waiting("activity")] * max(0, len(calls) - _MOST_WAITED_FOR)

    # Events.

    def index(self, key: int) -> LogIndex:
        """Where in an execution's log things lie, as of now."""
        self._index([key])
        return self._indexes[key]

    def _index(self, keys: Iterable[int]) -> None:
        """Read on in the logs of these, all in one go."""
        wanted = list(keys)
        if not wanted:
            return
        if sum(len(index.positions) for index in self._indexes.values()) > _MOST_INDEXED_EVENTS:
            self._indexes.clear()
        indexes = {key: self._indexes.setdefault(key, LogIndex()) for key in wanted}
        begins = min(max(key, index.last_position + 1) for key, index in indexes.items())
        marks = ", ".join("?" * len(wanted))
        found = self._connection.execute(
            f"SELECT execution, position, kind, at, command FROM event "  # noqa: S608 - marks alone
            f"WHERE position >= ? AND execution IN ({marks}) ORDER BY position",
            (begins, *wanted),
        )
        for execution, position, kind, at, command in found:
            index = indexes[execution]
            if position > index.last_position:
                index.add(position, kind, at, command)

    def entries(self, positions: Sequence[int]) -> list[Entry]:
        """The events at these positions, in their order."""
        marks = ", ".join("?" * len(positions))
        found = self._connection.execute(
            f"SELECT {self._logged}, length(payload), substr(payload, 1, {_HEAD_BYTES}) FROM event "  # noqa: S608
            f"WHERE position IN ({marks}) ORDER BY position",
            tuple(positions),
        )
        return [self._entry(row) for row in found.fetchall()]

    def _entry(self, row: Sequence[Any]) -> Entry:
        *fields, size, head = row
        shown = "" if head is None else self._preview(fields[0], bytes(head), size)
        return Entry(*[*fields, size, shown])  # as _LOGGED has them

    def _preview(self, position: int, head: bytes, size: int) -> str | None:
        if head[:1] != SEALED:
            return preview(head)
        if size > _SEALED_HEAD_BYTES and self._codec is not None:
            return "…"
        try:
            return preview(self.payload(position) or b"")
        except CannotDecode:
            return None

    def event_at(self, row: Listed, position: int) -> Entry:
        """One event of this execution. Raises UnknownExecution when it has none there."""
        query = "SELECT 1 FROM event WHERE position = ? AND execution = ?"
        is_one = position <= LARGEST_KEY
        if not is_one or self._connection.execute(query, (position, row.key)).fetchone() is None:
            raise UnknownExecution(f"the execution {row.id!r} has no event at the position {position}")
        return self.entries([position])[0]

    def payload(self, position: int) -> bytes | None:
        """A payload as a whole.

        Raises:
            CannotDecode: when a key is missing, or something else has written it.
        """
        return self._event(position).payload

    def first_event(self, row: Listed) -> int | None:
        """The position of the event that holds the input of its newest run."""
        index = self.index(row.key)
        if index.runs:
            return index.positions[index.runs[-1]]
        return index.positions[0] if index.positions else None

    def pair(self, begin: int, end: int | None) -> tuple[Event, Event | None]:
        """A call and its end, by their positions."""
        return self._event(begin), None if end is None else self._event(end)

    def _find(self, where: str, *values: object) -> list[Listed]:
        found = self._connection.execute(f"SELECT {self._listed} FROM execution {where}", values)  # noqa: S608
        return [Listed(*row) for row in found]


DAMAGED = (sqlite3.DatabaseError, msgspec.DecodeError, msgspec.ValidationError, TypeError, OverflowError)
"""What reading a file raises that somebody else has written into."""
