"""How does a file become another one, which goes on from an event as if the rest had never happened?

The source is only read. The new file has an identity of its own, so that its idempotency keys are not the source's,
and what is open in it is paused until somebody lets it go on. Who called each other is cut at the same position: none
of them can go on from different moments.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dormouse.client.file import DatabaseFile
from dormouse.client.forks import Fork, forks_of, put_forks
from dormouse.client.opening import opened_to_read
from dormouse.engine.definitions import Workflow
from dormouse.engine.folding import LARGE
from dormouse.engine.journal import CLOSINGS, Event
from dormouse.engine.parts import remove_parts
from dormouse.engine.pausing import family_of
from dormouse.engine.querying import COLUMNS
from dormouse.engine.schema import bring_up_to_date
from dormouse.engine.sealing import Codec, is_sealed
from dormouse.engine.stored import PayloadsWriter, StoredPayloads
from dormouse_observer.contents import check_has_values
from dormouse_observer.debugging.recording import Library, no_such_event
from dormouse_observer.forking.fitting import check_goes_on
from dormouse_observer.forking.rest import NotForked, answers, rest_of, with_answer
from dormouse_observer.manifest import manifest_beside

_CHUNKS = 1000


@dataclass(frozen=True)
class Wanted:
    """What to fork.

    Attributes:
        execution: its id.
        position: the last event that is left of it, and of those that it has called or was called by.
        answer: another answer for that event, as JSON.
        only: leave out all other executions.
        running: let these go on as soon as the file is run.
        known: the workflows of the code; with them the fork is replayed before it is there.
    """

    execution: str
    position: int
    answer: bytes | None = None
    only: bool = False
    running: bool = False
    known: Mapping[str, Workflow[..., Any]] | None = None


@dataclass(frozen=True)
class Forked:
    """What came of it.

    Attributes:
        event: the last one that is left of the execution.
        cut: how many events it has lost, with those of its family.
        paused: how many executions wait for somebody to let them go on.
    """

    event: Event
    cut: int
    paused: int


def fork(source: Path, target: Path, wanted: Wanted, codec: Codec | None) -> Forked:
    """Make the file.

    Raises:
        NotForked: when there is no such event, when its answer cannot be edited, is the one that is there or does not
            fit the code, or when the target is there.
        NotReadable: when it was redacted, and as a DatabaseFile; UnknownExecution.
    """
    if target.exists() or target.with_name(f"{target.name}-wal").exists():
        raise NotForked(f"{target} is there already; choose another -o, for a fork never replaces a file")
    if not target.absolute().parent.is_dir():
        raise NotForked(f"there is no folder {target.parent}; make it, or choose another -o")
    with DatabaseFile(source, codec) as file:
        check_has_values(file)
        row = file.row(wanted.execution)
        events = file.events(row)
        event = _last(source, events, wanted)
    answered = next((one.position for one in events if one.position > event.position and answers(one, event)), None)
    edited = None if wanted.answer is None else with_answer(event, wanted.answer, answered)
    with tempfile.TemporaryDirectory(prefix=".fork-", dir=target.absolute().parent) as folder:
        draft = Path(folder) / target.name
        with opened_to_read(source) as original, closing(sqlite3.connect(draft)) as copy:
            original.backup(copy)
        with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE")
            bring_up_to_date(copy, target)
            forked = _Draft(copy, codec).made(row.key, event, edited, wanted, _record(source, wanted))
            copy.execute("VACUUM")  # what was taken out must not be found in free pages
        if wanted.known is not None:
            check_goes_on(Library(draft, wanted.known).recording(wanted.execution), edited)
        try:
            os.link(draft, target)  # unlike a rename it never replaces a file
        except FileExistsError:
            raise NotForked(f"{target} is there already; choose another -o") from None
    return forked


def _record(source: Path, wanted: Wanted) -> Fork:
    """What the new file says of itself."""
    beside = manifest_beside(source)
    named = "" if beside is None else beside.workflow
    workflow = f"{named} at {beside.position}" if beside is not None and beside.position else named
    now = time.time_ns() // 1000
    return Fork(wanted.execution, wanted.position, now, wanted.answer is not None, source.name, workflow)


def _last(source: Path, events: list[Event], wanted: Wanted) -> Event:
    """The event at which it ends."""
    kept = [event for event in events if event.position <= wanted.position]
    if not kept or kept[-1].position != wanted.position:
        first, last = events[0].position, events[-1].position
        raise NotForked(no_such_event(source, wanted.execution, wanted.position, first, last))
    if kept[-1].kind in CLOSINGS:
        raise NotForked(
            f"event {wanted.position} is the end, and nothing would go on from there; choose an earlier one"
        )
    return Event(*kept[-1])._replace(payload=kept[-1].payload)  # read now, while the file is open


class _Draft:
    """The copy, while it becomes a fork."""

    def __init__(self, connection: sqlite3.Connection, codec: Codec | None) -> None:
        self._connection = connection
        self._codec = codec if is_sealed(connection) else None
        self._payloads = StoredPayloads(connection, self._codec)

    def made(self, key: int, event: Event, edited: Event | None, wanted: Wanted, record: Fork) -> Forked:
        write = self._connection
        writer = PayloadsWriter(write, self._codec, event.position + 1)  # in a transaction of its own
        parents = dict(write.execute("SELECT key, parent FROM execution").fetchall())
        family = family_of(key, parents)
        write.execute("BEGIN IMMEDIATE")
        with write:
            if wanted.only:
                self._leave_out(set(parents) - family)
            cut = sum(self._cut(one, event.position) for one in sorted(family))
            if edited is not None:
                self._replace(edited, writer, run=self._run(key))
            write.execute("INSERT OR REPLACE INTO dormouse_meta VALUES ('identity', ?)", (secrets.token_hex(16),))
            put_forks(write, [*map(self._as_it_is_now, forks_of(write)), record])
            paused = self._pause(family if wanted.running else ())
        return Forked(event if edited is None else edited, cut, paused)

    def _as_it_is_now(self, earlier: Fork) -> Fork:
        """An answer that was cut off is not edited any more: its position will be another event's."""
        kept = self._connection.execute("SELECT 1 FROM event WHERE position = ?", (earlier.event,)).fetchone()
        return replace(earlier, edited=earlier.edited and kept is not None)

    def _cut(self, key: int, position: int) -> int:
        """Take away what an execution has done after this; how many events that were."""
        write = self._connection
        query = "SELECT position, previous FROM event WHERE execution = ? AND position > ?"
        gone = write.execute(query, (key, position)).fetchall()
        if not gone:
            return 0
        runs = [one for one, previous in gone if previous is None]
        write.execute("DELETE FROM event WHERE execution = ? AND position > ?", (key, position))
        self._forget_parts(runs)
        if key > position:
            self._forget(key)
            return len(gone)
        write.execute("DELETE FROM dormouse_run WHERE execution = ? AND last >= ?", (key, self._run(key)))
        events = self._newest_run(key)
        rest = rest_of(events)
        write.execute(
            "UPDATE execution SET status = ?, closed_at = ?, closed_position = ?, blocked = NULL, "
            "asleep_position = NULL, asleep_until = NULL, waiting = NULL WHERE key = ?",
            (rest.status, rest.ended and rest.ended.at, rest.ended and rest.ended.position, key),
        )
        self._forget_waiting(key)
        timers = [(key, command, due) for command, due in rest.timers.items()]
        write.executemany("INSERT INTO timer (execution, command, due_at) VALUES (?, ?, ?)", timers)
        approvals = [(one, key) for one in rest.approvals]
        write.executemany("INSERT INTO dormouse_approval (position, execution) VALUES (?, ?)", approvals)
        return len(gone)

    def _run(self, key: int) -> int:
        """Where its newest run begins."""
        query = "SELECT max(position) FROM event WHERE execution = ? AND previous IS NULL"
        (began,) = self._connection.execute(query, (key,)).fetchone()
        if began is None:
            (name,) = self._connection.execute("SELECT id FROM execution WHERE key = ?", (key,)).fetchone()
            raise NotForked(f"retention has removed what {name!r} had done by then; choose a later event")
        return int(began)

    def _newest_run(self, key: int) -> list[Event]:
        query = f"SELECT {COLUMNS} FROM event WHERE execution = ? AND position >= ? ORDER BY position"  # noqa: S608 - as above
        return self._payloads.events(self._connection.execute(query, (key, self._run(key))))

    def _replace(self, event: Event, writer: PayloadsWriter, *, run: int) -> None:
        large = {event.position: run} if len(event.payload or b"") > LARGE else {}
        (stored,) = writer.events([event], large)
        self._connection.execute(
            "UPDATE event SET kind = ?, name = ?, attempt = ?, payload = ? WHERE position = ?",
            (stored.kind, stored.name, stored.attempt, stored.payload, stored.position),
        )

    def _pause(self, goes_on: Iterable[int]) -> int:
        write = self._connection
        write.execute(
            "INSERT OR IGNORE INTO dormouse_paused SELECT key FROM execution WHERE status IN ('Open', 'Blocked')"
        )
        write.executemany("DELETE FROM dormouse_paused WHERE execution = ?", [(key,) for key in goes_on])
        (paused,) = write.execute("SELECT count(*) FROM dormouse_paused").fetchone()
        return int(paused)

    def _leave_out(self, keys: Iterable[int]) -> None:
        for key in keys:
            began = "SELECT position FROM event WHERE execution = ? AND previous IS NULL"
            runs = [one for (one,) in self._connection.execute(began, (key,))]
            self._connection.execute("DELETE FROM event WHERE execution = ?", (key,))
            self._forget_parts(runs)
            self._forget(key)

    def _forget(self, key: int) -> None:
        self._forget_waiting(key)
        for table, column in (("execution", "key"), ("dormouse_run", "execution"), ("dormouse_paused", "execution")):
            self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (key,))  # noqa: S608 - as above

    def _forget_waiting(self, key: int) -> None:
        for table in ("timer", "heartbeat", "dormouse_approval"):
            self._connection.execute(f"DELETE FROM {table} WHERE execution = ?", (key,))  # noqa: S608 - as above

    def _forget_parts(self, runs: Iterable[int]) -> None:
        for run in runs:
            while remove_parts(self._connection, run, _CHUNKS):
                pass
