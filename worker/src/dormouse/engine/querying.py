"""What does the SQLite file say of executions and their events? The readers' side, which changes nothing."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from dormouse.engine.ending import Status
from dormouse.engine.journal import Event, Kind
from dormouse.engine.mismatch import Blocked
from dormouse.engine.origin import Origin
from dormouse.engine.registry import Dormant
from dormouse.engine.sealing import Codec
from dormouse.engine.standing import Waiting
from dormouse.engine.stored import StoredPayloads

_SELECT_EXECUTIONS = (
    "SELECT key, id, workflow, status, seed, request, idempotency_key, started_at, closed_at, closed_position, "
    "blocked, app_version, parent, parent_command, traceparent FROM execution "
)
COLUMNS = "position, execution, kind, at, previous, command, name, attempt, due, payload, source, key"
_SELECT_CHAIN = f"""
WITH RECURSIVE chain (link) AS (
    VALUES (?)
    UNION ALL
    SELECT event.previous FROM chain JOIN event ON event.position = chain.link WHERE event.previous >= ?
)
SELECT {COLUMNS} FROM chain JOIN event ON event.position = chain.link
WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?
"""  # noqa: S608 - names of our own
_SELECT_EVENT = f"SELECT {COLUMNS} FROM event WHERE position = ?"  # noqa: S608 - as above
_SELECT_STRETCH = (
    f"SELECT {COLUMNS} FROM event WHERE execution = ? AND position BETWEEN ? AND ? "  # noqa: S608 - as above
    "ORDER BY position"
)
_SELECT_RUNS = """
SELECT execution, max(position) FILTER (WHERE previous IS NULL), max(position), count(*) FROM event
WHERE position >= (SELECT min(key) FROM execution WHERE status IN ('Open', 'Blocked') AND waiting IS NULL)
AND execution IN (SELECT key FROM execution WHERE status IN ('Open', 'Blocked') AND waiting IS NULL)
AND execution NOT IN (SELECT execution FROM dormouse_paused)
GROUP BY execution
"""
_SELECT_BY_KEY = (
    f"SELECT {COLUMNS} FROM event "  # noqa: S608 - as above
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
T = TypeVar("T")


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


class Queries:
    """Answers from one connection.

    Args:
        reader: the connection.
        codec: in whose form payloads are stored.
    """

    def __init__(self, reader: sqlite3.Connection, codec: Codec | None) -> None:
        self._reader = reader
        self._payloads = StoredPayloads(reader, codec)

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


_decode_waiting = msgspec.json.Decoder(list[Waiting]).decode


def row_of(values: Sequence[Any], payloads: StoredPayloads) -> Row:
    """The execution of a row with all of a row's columns."""
    named = dict(zip(Row.__struct_fields__, values, strict=True))
    changed = {"status": Status(named["status"]), "blocked": payloads.blocked(named["blocked"], named["key"])}
    return Row(**named | changed)
