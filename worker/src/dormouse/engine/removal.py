"""How do closed executions leave the file? Their rows first, then their events and the parts of their payloads.

What is to leave is written down beside the deletion of the row, run by run, so that a kill at any moment leaves
nothing behind. At last the file gives back what it does not need, if that is much: never by a VACUUM, which would
write it all anew, and have all of it uploaded again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from dormouse.engine.parts import remove_parts

_EXECUTIONS, _EVENTS, _CHUNKS, _PAGES = 100, 500, 1000, 100
"""How many of each are one portion: less than half a megabyte of the WAL, where they lie close together."""
_FREE_PAGES = 256
_FREE_SHARE = 4
"""The file shrinks when more pages than these are free, and more than one of so many."""
_DELETABLE = """
closed_at IS NOT NULL AND NOT EXISTS (
    -- A call of a failed child can be taken back as long as there is its caller.
    SELECT 1 FROM execution AS caller WHERE caller.key = execution.parent
    AND NOT (execution.status = 'Completed' AND caller.status IN ('Open', 'Blocked'))
)"""
_NO_MOMENT = -1


@dataclass(frozen=True)
class Removal:
    """What is removed, and how.

    Attributes:
        count: so many closed executions stay at most.
        microseconds: how long anything that is over stays.
        never: ids of executions that stay.
    """

    count: int | None
    microseconds: int | None
    never: frozenset[str]

    # Looking.

    def has_work(self, reader: sqlite3.Connection, now: int) -> bool:
        """Whether there is anything to remove."""
        return bool(self._expired(reader, now) or self._run(reader, now) or may_shrink(reader))

    def next_due(self, reader: sqlite3.Connection) -> int | None:
        """When something is over for too long that is not yet."""
        if self.microseconds is None:
            return None
        query = f"SELECT min(closed_at) FROM execution WHERE {_DELETABLE} AND {self._unprotected}"  # noqa: S608
        (closed_at,) = reader.execute(query, [*self.never]).fetchone()
        (ended_at,) = reader.execute("SELECT min(ended_at) FROM dormouse_run").fetchone()
        moments = [one for one in (closed_at, ended_at) if one is not None]
        return min(moments) + self.microseconds if moments else None

    @property
    def _unprotected(self) -> str:
        return f"id NOT IN ({', '.join('?' * len(self.never))})"

    def _expired(self, connection: sqlite3.Connection, now: int) -> list[tuple[int, int]]:
        """Key and last position of some executions that are kept no longer, those first that closed first."""
        (closed,) = connection.execute("SELECT count(*) FROM execution WHERE closed_at IS NOT NULL").fetchone()
        too_many = 0 if self.count is None else max(0, closed - self.count)
        query = (
            "SELECT key, closed_position, closed_at FROM execution "  # noqa: S608 - text of our own
            f"WHERE {_DELETABLE} AND {self._unprotected} ORDER BY closed_at LIMIT ?"
        )
        found = connection.execute(query, [*self.never, _EXECUTIONS]).fetchall()
        cutoff = self._cutoff(now)
        kept_no_longer = (one for rank, one in enumerate(found) if rank < too_many or one[2] <= cutoff)
        return [(key, last) for key, last, _ in kept_no_longer]

    def _run(self, connection: sqlite3.Connection, now: int) -> tuple[int, int | None, int | None] | None:
        query = "SELECT id, last, first FROM dormouse_run WHERE ended_at <= ? ORDER BY ended_at LIMIT 1"
        found: tuple[int, int | None, int | None] | None
        found = connection.execute(query, (max(0, self._cutoff(now)),)).fetchone()
        return found

    def _cutoff(self, now: int) -> int:
        return _NO_MOMENT if self.microseconds is None else now - self.microseconds

    # Removing, inside of a transaction.

    def take_a_portion(self, writer: sqlite3.Connection, now: int) -> None:
        """Remove some of it."""
        expired = self._expired(writer, now)
        _forget(writer, expired)
        run = self._run(writer, now)
        if run is not None:
            _remove_some(writer, *run)
        elif not expired and may_shrink(writer):
            for _ in range(_PAGES):
                writer.execute("PRAGMA incremental_vacuum(1)")  # sqlite3 takes only the first step of more


def _forget(writer: sqlite3.Connection, executions: list[tuple[int, int]]) -> None:
    """Delete rows, and write down which runs are left of them."""
    keys = [(key,) for key, _ in executions]
    writer.executemany("DELETE FROM execution WHERE key = ?", keys)
    writer.executemany("DELETE FROM heartbeat WHERE execution = ?", keys)
    writer.executemany("UPDATE dormouse_run SET ended_at = 0 WHERE execution = ?", keys)
    writer.executemany("INSERT INTO dormouse_run (execution, last, ended_at) VALUES (?, ?, 0)", executions)


def _remove_some(writer: sqlite3.Connection, run: int, last: int | None, first: int | None) -> None:
    """The events of a run from the last one on, then its parts, then what says that it is to go."""
    if last is not None:
        last, first = _remove_events(writer, last)
        writer.execute("UPDATE dormouse_run SET last = ?, first = ? WHERE id = ?", (last, first, run))
    elif first is None or not remove_parts(writer, first, _CHUNKS):
        writer.execute("DELETE FROM dormouse_run WHERE id = ?", (run,))


def _remove_events(writer: sqlite3.Connection, last: int) -> tuple[int | None, int | None]:
    """The last one that is left, or else the one that was the first."""
    chain = writer.execute(
        "WITH RECURSIVE chain AS ("
        "    SELECT position, previous FROM event WHERE position = ?"
        "    UNION ALL"
        "    SELECT event.position, event.previous FROM chain JOIN event ON event.position = chain.previous"
        ") SELECT position, previous FROM chain LIMIT ?",
        (last, _EVENTS),
    ).fetchall()
    writer.executemany("DELETE FROM event WHERE position = ?", [(position,) for position, _ in chain])
    first, before = chain[-1] if chain else (last, None)
    return before, first if before is None else None


def may_shrink(connection: sqlite3.Connection) -> bool:
    """Whether the file has many pages that it does not need, and can give them back."""
    (way,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    return bool(way == 2 and free > _FREE_PAGES and free * _FREE_SHARE > pages)
