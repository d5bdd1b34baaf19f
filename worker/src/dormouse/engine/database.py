"""What lies in the SQLite file, and how is it written and read? One writer connection, readers beside it."""

from __future__ import annotations

import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, starmap
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from dormouse.engine.calls import ActivityCall, Timed
from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Batch, Event, Kind
from dormouse.engine.mismatch import Blocked
from dormouse.engine.origin import Origin
from dormouse.engine.pausing import pause_as_asked
from dormouse.engine.place import Place
from dormouse.engine.registry import Dormant
from dormouse.engine.schema import bring_up_to_date
from dormouse.engine.sealing import Codec
from dormouse.engine.standing import Waiting
from dormouse.engine.stored import PayloadsWriter, StoredPayloads
from dormouse.engine.transactions import Transactions

_SELECT_EXECUTIONS = (
    "SELECT key, id, workflow, status, seed, request, idempotency_key, started_at, closed_at, closed_position, "
    "blocked, app_version, parent, parent_command, traceparent FROM execution "
)
_COLUMNS = "position, execution, kind, at, previous, command, name, attempt, due, payload, source, key"
_SELECT_CHAIN = f"""
WITH RECURSIVE chain (link) AS (
    VALUES (?)
    UNION ALL
    SELECT event.previous FROM chain JOIN event ON event.position = chain.link WHERE event.previous >= ?
)
SELECT {_COLUMNS} FROM chain JOIN event ON event.position = chain.link
WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?
"""  # noqa: S608 - names of our own
_SELECT_EVENT = f"SELECT {_COLUMNS} FROM event WHERE position = ?"  # noqa: S608 - as above
_SELECT_STRETCH = (
    f"SELECT {_COLUMNS} FROM event WHERE execution = ? AND position BETWEEN ? AND ? "  # noqa: S608 - as above
    "ORDER BY position"
)
_SELECT_RUNS = """
SELECT execution, max(position) FILTER (WHERE previous IS NULL), max(position), count(*) FROM event
WHERE position >= (SELECT min(key) FROM execution WHERE status IN ('Open', 'Blocked') AND waiting IS NULL)
AND execution IN (SELECT key FROM execution WHERE status IN ('Open', 'Blocked') AND waiting IS NULL)
AND execution NOT IN (SELECT execution FROM dormouse_paused)
GROUP BY execution
"""
_INSERT_EVENTS = {
    rows: f"INSERT INTO event ({_COLUMNS}) VALUES "  # noqa: S608 - as above
    + ", ".join([f"({', '.join('?' * len(Event._fields))})"] * rows)
    for rows in (128, 64, 32, 16, 8, 4, 2, 1)
}
"""Many rows a statement, since SQLite works on each without Python. A few sizes, which stay prepared."""
_SELECT_BY_KEY = (
    f"SELECT {_COLUMNS} FROM event "  # noqa: S608 - as above
    "WHERE execution = ? AND key = ? AND kind IN (?, ?) ORDER BY position LIMIT 1"
)
_SELECT_APPROVAL_ENDS = (
    "SELECT position, execution, kind, at, previous, command, name, attempt, due, payload, source, key FROM event "
    "WHERE execution = ? AND key = ? AND kind IN (?, ?, ?) ORDER BY position"
)
SELECT_PENDING_APPROVALS = (
    "SELECT position, id, workflow FROM dormouse_approval JOIN execution ON key = execution "
    "WHERE closed_position IS NULL AND position > ? AND position <= ? AND (execution = ? OR ? IS NULL) "
    "ORDER BY position LIMIT ?"
)
_COUNT_PENDING_APPROVALS = (
    "SELECT count(*) FROM dormouse_approval JOIN execution ON key = execution WHERE closed_position IS NULL"
)
_INSERT_EXECUTION = (
    "INSERT INTO execution (key, id, workflow, status, seed, request, idempotency_key, started_at, app_version, "
    "parent, parent_command, traceparent) VALUES (?, ?, ?, 'Open', ?, ?, ?, ?, ?, ?, ?, ?)"
)
T = TypeVar("T")
_NO_CHECKPOINT_ON_CLOSE = 1006  # SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE
# Each stays what it is, as without this. But Python's sqlite3 looks for an adapter of every value that is not exactly
# an int, a float or a str, and for want of one raises, formats and drops an AttributeError: half of what a row costs.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(type(None), dict[None, None]().get)


class Row(msgspec.Struct, frozen=True):
    """An execution as the file holds it."""

    key: int
    id: str
    workflow: str
    status: Status
    seed: bytes
    request: bytes
    idempotency_key: str | None
    started_at: int
    closed_at: int | None
    closed_position: int | None
    blocked: Blocked | None
    app_version: str | None
    parent: int | None
    parent_command: int | None
    traceparent: str | None

    @property
    def origin(self) -> Origin:
        caller = self.parent, self.parent_command, self.traceparent
        return Origin(self.request, self.idempotency_key, self.app_version, *caller)


class Run(NamedTuple):
    """Where the log of an open execution's newest run lies.

    Attributes:
        began, last: the positions of its first and its last event.
        events: how many the execution has, those of earlier runs included.
    """

    execution: int
    began: int
    last: int
    events: int

    @property
    def is_dense(self) -> bool:
        """Whether few events of others lie between its own, so that reading on is faster than walking back."""
        return self.events * 4 > self.last - self.execution


class Database:
    """One open file.

    Args:
        path: the file; it is created when it is missing.
        checkpoints: whether this process keeps the WAL short itself. Never when Litestream replicates the file:
            exactly one connection may checkpoint.
        codec: in whose form payloads are stored.
    """

    def __init__(self, path: Path, *, checkpoints: bool, codec: Codec | None = None) -> None:
        self._path = path
        self._checkpoints = checkpoints
        self._writer = self._connect(checkpoints=checkpoints)
        try:
            bring_up_to_date(self._writer, path)
            pause_as_asked(self._writer)
            self._payloads_writer = PayloadsWriter(self._writer, codec, self.next_position())
        except BaseException:
            self._writer.close()
            raise
        self._reader = self._connect(checkpoints=False)
        self._reader.execute("PRAGMA query_only = ON")
        self.transactions = Transactions(self._writer)
        self._payloads = StoredPayloads(self._reader, codec)
        self._place = Place(path)

    def _connect(self, *, checkpoints: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout = 5000")
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before anything else, or never
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {1000 if checkpoints else 0}")
        if sys.version_info >= (3, 12) and not self._checkpoints:
            connection.setconfig(_NO_CHECKPOINT_ON_CLOSE, True)
        return connection

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    # The writer's side.

    @property
    def digest_key(self) -> bytes:
        """What digests of values are keyed with; empty when payloads are stored as they are."""
        return self._payloads_writer.digest_key

    def identity(self) -> str:
        """What this database is called in idempotency keys: it stays through every restore."""
        found = self._writer.execute("SELECT value FROM dormouse_meta WHERE key = 'identity'").fetchone()
        if found is not None:
            return str(found[0])
        identity = secrets.token_hex(16)
        self._writer.execute("INSERT INTO dormouse_meta VALUES ('identity', ?)", (identity,))
        return identity

    def next_position(self) -> int:
        (last,) = self._writer.execute("SELECT max(position) FROM event").fetchone()
        return (last or 0) + 1

    def write(self, batch: Batch) -> Sequence[Event]:
        """Put a batch into a transaction, which `transactions` may have begun, or give back the events that `commit` is
        to write: where one statement is all of the transaction.
        """
        write = self._writer
        plain = not (batch.large or self._payloads_writer.seals)
        if plain and batch.only_adds_events and len(batch.events) in _INSERT_EVENTS and not write.in_transaction:
            return batch.events
        if not write.in_transaction:
            write.execute("BEGIN IMMEDIATE")
        if batch.opened:
            write.executemany(_INSERT_EXECUTION, map(_opened, batch.opened))
        self._insert(batch.events if plain else self._payloads_writer.events(batch.events, batch.large))
        if batch.sleeping or batch.delayed:
            write.executemany(
                "INSERT OR REPLACE INTO timer (execution, command, due_at) VALUES (?, ?, ?)",
                [(one.execution.key, one.command, one.due) for one in batch.timers_set],
            )
        if batch.woken or batch.ended:
            write.executemany("DELETE FROM timer WHERE execution = ? AND command = ?", map(_call, batch.timers_gone))
        if batch.requested:
            write.executemany(
                "INSERT OR REPLACE INTO dormouse_approval (position, execution) VALUES (?, ?)",
                [(one.position, one.execution.key) for one in batch.requested],
            )
        if batch.decided:
            write.executemany(
                "DELETE FROM dormouse_approval WHERE position = ?", [(one.position,) for one in batch.decided]
            )
        if batch.beaten:
            write.executemany(
                "INSERT OR REPLACE INTO heartbeat (execution, command, details) VALUES (?, ?, ?)",
                map(self._beaten, batch.beaten),
            )
        if batch.silenced:
            write.executemany("DELETE FROM heartbeat WHERE execution = ? AND command = ?", map(_call, batch.silenced))
        self._write_executions(batch)
        for also in batch.also:
            also(write)
        return ()

    def _insert(self, events: Sequence[Event]) -> None:
        written = 0
        for rows, statement in _INSERT_EVENTS.items():
            while len(events) - written >= rows:
                self._writer.execute(statement, [*chain.from_iterable(events[written : written + rows])])
                written += rows

    def _write_executions(self, batch: Batch) -> None:
        """What has become of those that are in the file."""
        write = self._writer
        if batch.changed:
            write.executemany(
                "UPDATE execution SET status = ?, blocked = ?, closed_at = NULL, closed_position = NULL WHERE key = ?",
                map(self._changed, batch.changed),
            )
        if batch.closed:
            write.executemany(
                "UPDATE execution SET status = ?, blocked = NULL, closed_at = ?, closed_position = ? WHERE key = ?",
                [(one.status, one.moment, one.closed_position, one.key) for one in batch.closed],
            )
            write.executemany("DELETE FROM timer WHERE execution = ?", [(one.key,) for one in batch.closed])
        if batch.asleep:
            write.executemany(
                "UPDATE execution SET asleep_position = ?, asleep_until = ?, waiting = ? WHERE key = ?",
                starmap(_asleep, batch.asleep.items()),
            )
        if batch.ended_runs:
            write.executemany("INSERT INTO dormouse_run (execution, last, ended_at) VALUES (?, ?, ?)", batch.ended_runs)

    def commit(self, events: Sequence[Event]) -> None:
        """Write the events that `write` has left, or end its transaction. It waits for the disk, so it is called in a
        thread; every other statement there would wait for the loop's Python as well.
        """
        if events:
            self._insert(events)
        else:
            self._writer.execute("COMMIT")

    def check_place(self) -> None:
        """Raises sqlite3.OperationalError when nobody would find what was written."""
        self._place.check()

    # The readers' side.

    def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """What a function finds in the file."""
        return function(self._reader)

    def awake_executions(self) -> list[Row]:
        """The open ones that may have something to do."""
        return self._rows(
            "WHERE status IN ('Open', 'Blocked') AND waiting IS NULL "
            "AND key NOT IN (SELECT execution FROM dormouse_paused) ORDER BY key"
        )

    def dormant(self) -> Iterator[Dormant]:
        """The open ones that only wait."""
        found = self._reader.execute(
            "SELECT key, workflow, asleep_position, asleep_until FROM execution "
            "WHERE status IN ('Open', 'Blocked') AND waiting IS NOT NULL "
            "AND key NOT IN (SELECT execution FROM dormouse_paused) ORDER BY key"
        )
        # There may be very many, of few workflows.
        return (Dormant(key, sys.intern(workflow), *rest) for key, workflow, *rest in found)

    def paused(self) -> list[Dormant]:
        """The open ones that wait for somebody to let them go on."""
        found = self._reader.execute(
            "SELECT key, workflow, last FROM execution JOIN (SELECT execution, max(position) AS last FROM event "
            "WHERE execution IN (SELECT execution FROM dormouse_paused) GROUP BY execution) AS paused "
            "ON key = paused.execution WHERE status IN ('Open', 'Blocked') ORDER BY key"
        )
        return [Dormant(key, workflow, position, None) for key, workflow, position in found]

    def parents(self, keys: Iterable[int]) -> dict[int, int | None]:
        """Which execution called each of these."""
        query = "SELECT parent FROM execution WHERE key = ?"
        return {key: self._reader.execute(query, (key,)).fetchone()[0] for key in keys}

    def waits_for(self, key: int) -> list[Waiting]:
        """What a dormant one waits for."""
        found = self._reader.execute("SELECT waiting FROM execution WHERE key = ?", (key,)).fetchone()
        return _decode_waiting(found[0]) if found and found[0] else []

    def executions(self, where: str, values: Sequence[object], limit: int) -> list[Row]:
        """The newest executions that fulfil a condition, the newest first."""
        return self._rows(f"WHERE {where} ORDER BY key DESC LIMIT ?", *values, limit)

    def workflow_names(self) -> list[str]:
        """Of which workflows there are executions. It looks at each of them."""
        return [name for (name,) in self._reader.execute("SELECT DISTINCT workflow FROM execution")]

    def execution(self, execution_id: str) -> Row | None:
        return next(iter(self._rows("WHERE id = ?", execution_id)), None)

    def execution_by_key(self, key: int) -> Row:
        return self._rows("WHERE key = ?", key)[0]

    def execution_of_request(self, idempotency_key: str) -> Row | None:
        return next(iter(self._rows("WHERE idempotency_key = ?", idempotency_key)), None)

    def awake_runs(self) -> dict[int, Run]:
        """Where the logs of the open ones lie, by key. It looks at every event since the oldest of them began."""
        return {run[0]: Run._make(run) for run in self._reader.execute(_SELECT_RUNS)}

    def events(self, last: int, *, after: int = 0, up_to: int = sys.maxsize, limit: int = -1) -> list[Event]:
        """An execution's events, of which `last` is the last one's position."""
        found = self._reader.execute(_SELECT_CHAIN, (last, after + 1, after + 1, up_to, limit))
        return self._payloads.events(found)

    def events_of(self, run: Run) -> list[Event]:
        """All events of a run."""
        if not run.is_dense:
            return self.events(run.last)
        found = self._reader.execute(_SELECT_STRETCH, (run.execution, run.began, run.last))
        return self._payloads.events(found)

    def event(self, position: int) -> Event:
        """One event."""
        return self._payloads.event(self._reader.execute(_SELECT_EVENT, (position,)).fetchone())

    def message(self, execution: int, key: str) -> Event | None:
        """The message that an idempotency key of this execution stands for."""
        return self._by_key(execution, key, Kind.SIGNAL_RECEIVED, Kind.UPDATE_ACCEPTED)

    def answer(self, execution: int, key: str) -> Event | None:
        """How the update ended that this idempotency key stands for."""
        return self._by_key(execution, key, Kind.UPDATE_COMPLETED, Kind.UPDATE_FAILED)

    def approval_ends(self, execution: int, digest: str) -> list[Event]:
        """The events with which the request for approval ended that this digest stands for."""
        kinds = (Kind.APPROVAL_DECIDED, Kind.APPROVAL_EXPIRED, Kind.APPROVAL_WITHDRAWN)
        return self._payloads.events(self._reader.execute(_SELECT_APPROVAL_ENDS, (execution, digest, *kinds)))

    def pending_approvals(
        self, limit: int, *, after: int = 0, up_to: int = sys.maxsize, execution: int | None = None
    ) -> list[tuple[int, str, str]]:
        """Position, execution's id and workflow of the pending requests for approval, the oldest first."""
        values = (after, up_to, execution, execution, limit)
        return self._reader.execute(SELECT_PENDING_APPROVALS, values).fetchall()

    def count_approvals(self) -> int:
        """How many requests for approval are pending."""
        (count,) = self._reader.execute(_COUNT_PENDING_APPROVALS).fetchone()
        return int(count)

    def sizes(self) -> tuple[int, int]:
        """The bytes of the file and of its WAL."""
        wal = self._path.with_name(f"{self._path.name}-wal")
        return self._path.stat().st_size, wal.stat().st_size if wal.exists() else 0

    def heartbeats(self) -> dict[tuple[int, int], bytes]:
        """What the attempts have last said, by execution and number of the call."""
        rows = self._reader.execute("SELECT execution, command, details FROM heartbeat")
        return {
            (execution, command): self._payloads.heartbeat(details, execution, command)
            for execution, command, details in rows
        }

    def _by_key(self, *values: object) -> Event | None:
        row = self._reader.execute(_SELECT_BY_KEY, values).fetchone()
        return None if row is None else self._payloads.event(row)

    def _rows(self, where: str, *values: object) -> list[Row]:
        found = self._reader.execute(_SELECT_EXECUTIONS + where, values)
        return [row_of(values, self._payloads) for values in found]

    def _beaten(self, call: ActivityCall) -> tuple[int, int, bytes | None]:
        key, command = _call(call)
        return key, command, self._payloads_writer.heartbeat(call.heartbeat, key, command)

    def _changed(self, execution: Execution) -> tuple[str, bytes | None, int]:
        return execution.status, self._payloads_writer.blocked(execution.blocked, execution.key), execution.key


_decode_waiting = msgspec.json.Decoder(list[Waiting]).decode


def row_of(values: Sequence[Any], payloads: StoredPayloads) -> Row:
    """The execution of a row with all of a row's columns."""
    named = dict(zip(Row.__struct_fields__, values, strict=True))
    changed = {"status": Status(named["status"]), "blocked": payloads.blocked(named["blocked"], named["key"])}
    return Row(**named | changed)


def _opened(one: Execution) -> tuple[Any, ...]:
    origin = one.origin
    return (
        one.key,
        one.id,
        one.workflow.name,
        one.seed,
        origin.fingerprint,
        origin.idempotency_key,
        one.started_at,
        origin.app_version,
        origin.parent,
        origin.parent_command,
        origin.traceparent,
    )


def _asleep(key: int, asleep: tuple[Dormant, bytes] | None) -> tuple[int | None, int | None, bytes | None, int]:
    if asleep is None:
        return None, None, None, key
    dormant, waiting = asleep
    return dormant.position, dormant.due, waiting, key


def _call(one: Timed) -> tuple[int, int]:
    return one.execution.key, one.command
