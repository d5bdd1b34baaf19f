"""How is the SQLite file opened, and how does a batch get into it? One writer connection, and one that only reads."""

from __future__ import annotations

import secrets
import sqlite3
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import groupby, repeat, starmap
from operator import iconcat, itemgetter
from pathlib import Path
from typing import Any

from dormouse.engine.calls import ActivityCall, Timed
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Batch, Event, Kind
from dormouse.engine.pausing import pause_as_asked
from dormouse.engine.place import Place
from dormouse.engine.querying import Queries
from dormouse.engine.registry import Dormant
from dormouse.engine.schema import bring_up_to_date
from dormouse.engine.sealing import Codec
from dormouse.engine.stored import PayloadsWriter
from dormouse.engine.transactions import Transactions

_MANY_ROWS = (128, 96, 64, 48, 32, 24, 16, 12)
_FEW_ROWS = 8


class _Insert:
    """Inserts events of any kind, or of one whose events leave these columns empty.

    Many rows a statement, since SQLite works on each without Python. A few sizes, which stay prepared.
    """

    def __init__(self, kind: Kind | None = None, empty: Sequence[str] = ()) -> None:
        columns = [name for name in Event._fields if name not in empty]
        given = [name for name in columns if kind is None or name != "kind"]
        row = ", ".join("?" if name in given else f"'{kind}'" for name in columns)
        self.width = len(given)
        self.values_of: Callable[[Event], Sequence[Any]] = itemgetter(*map(Event._fields.index, given))
        self.statements = {
            rows: f"INSERT INTO event ({', '.join(columns)}) VALUES {', '.join([f'({row})'] * rows)}"  # noqa: S608 - ours
            for rows in (*_MANY_ROWS, *range(_FEW_ROWS, 0, -1))
        }


_ANY = _Insert()
_INSERTS = {
    Kind.ACTIVITY_SCHEDULED.value: _Insert(Kind.ACTIVITY_SCHEDULED, empty=("attempt", "due", "key")),
    Kind.ACTIVITY_COMPLETED.value: _Insert(Kind.ACTIVITY_COMPLETED, empty=("name", "attempt", "due", "source", "key")),
}
"""Nearly all events are of these kinds, and what is None or always the same takes Python longer than SQLite."""
_kind_of = itemgetter(Event._fields.index("kind"))
_INSERT_EXECUTION = (
    "INSERT INTO execution (key, id, workflow, status, seed, request, idempotency_key, started_at, app_version, "
    "parent, parent_command, traceparent) VALUES (?, ?, ?, 'Open', ?, ?, ?, ?, ?, ?, ?, ?)"
)
_NO_CHECKPOINT_ON_CLOSE = 1006  # SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE
# Each stays what it is, as without this. But Python's sqlite3 looks for an adapter of every value that is not exactly
# an int, a float or a str, and for want of one raises, formats and drops an AttributeError: half of what a row costs.
sqlite3.register_adapter(bytes, bytes.__bytes__)
sqlite3.register_adapter(type(None), dict[None, None]().get)


class Database(Queries):
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
        reader = self._connect(checkpoints=False)
        reader.execute("PRAGMA query_only = ON")
        super().__init__(reader, codec)
        self.transactions = Transactions(self._writer)
        self._place = Place(path)

    def _connect(self, *, checkpoints: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA busy_timeout = 5000")
            if connection.execute("PRAGMA page_count").fetchone() == (0,):
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before anything else, or never
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {1000 if checkpoints else 0}")
            if sys.version_info >= (3, 12) and not self._checkpoints:
                connection.setconfig(_NO_CHECKPOINT_ON_CLOSE, True)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def sizes(self) -> tuple[int, int]:
        """The bytes of the file and of its WAL."""
        wal = self._path.with_name(f"{self._path.name}-wal")
        return self._path.stat().st_size, wal.stat().st_size if wal.exists() else 0

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
        if plain and batch.only_adds_events and len(batch.events) <= _FEW_ROWS and not write.in_transaction:
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
        done = 0
        for insert, neighbours in groupby(map(_INSERTS.get, map(_kind_of, events), repeat(_ANY))):
            count = len([*neighbours])
            self._insert_alike(insert, events[done : done + count])
            done += count

    def _insert_alike(self, insert: _Insert, events: Sequence[Event]) -> None:
        values: list[Any] = reduce(iconcat, map(insert.values_of, events), [])
        done, end = 0, len(values)
        for rows, statement in insert.statements.items():
            size = rows * insert.width
            while end - done >= size:
                self._writer.execute(statement, values[done : done + size])
                done += size

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
        """Write the events that `write` has left, or end its transaction. It waits for the disk, so it is mostly called
        in a thread; every other statement there would wait for the loop's Python as well.
        """
        if events:
            self._insert_alike(_ANY, events)
        else:
            self._writer.execute("COMMIT")

    def check_place(self) -> None:
        """Raises sqlite3.OperationalError when nobody would find what was written."""
        self._place.check()

    def _beaten(self, call: ActivityCall) -> tuple[int, int, bytes | None]:
        key, command = _call(call)
        return key, command, self._payloads_writer.heartbeat(call.heartbeat, key, command)

    def _changed(self, execution: Execution) -> tuple[str, bytes | None, int]:
        return execution.status, self._payloads_writer.blocked(execution.blocked, execution.key), execution.key


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
