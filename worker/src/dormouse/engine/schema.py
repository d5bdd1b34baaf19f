"""Which tables does a file have, and how does it get those that this version works with? Never back, only on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from dormouse.errors import NewerFile

_KEY = "engine_schema"
_TABLES = (
    """
CREATE TABLE execution (
    key INTEGER PRIMARY KEY,      -- the position of its first event
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    status TEXT NOT NULL,         -- Open, Blocked, Completed, Failed, Cancelled, Terminated
    seed BLOB NOT NULL,           -- of its random numbers
    request BLOB NOT NULL,        -- fingerprint of the request that started it
    idempotency_key TEXT UNIQUE,
    started_at INTEGER NOT NULL,  -- microseconds since 1970, as all moments
    closed_at INTEGER,
    closed_position INTEGER,
    blocked BLOB                  -- JSON: why
)""",
    "CREATE INDEX execution_open ON execution (key) WHERE status IN ('Open', 'Blocked')",
    """
CREATE TABLE event ( -- append-only
    position INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    previous INTEGER,             -- the position of the execution's event before this one
    command INTEGER,
    name TEXT,
    attempt INTEGER,
    due INTEGER,
    payload BLOB,
    source TEXT
)""",
    """
CREATE TABLE timer ( -- what is due and when, so that a cold file says when to wake
    execution INTEGER NOT NULL,
    command INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (execution, command)
) WITHOUT ROWID""",
)
# `parent` is the key of the execution that called, `parent_command` the number of its call; an event's `key` is a
# message's idempotency key, or a child's id. SQLite takes no comments in what it adds.
_MESSAGES_CHILDREN_HEARTBEATS = (
    "ALTER TABLE execution ADD COLUMN app_version TEXT",
    "ALTER TABLE execution ADD COLUMN parent INTEGER",
    "ALTER TABLE execution ADD COLUMN parent_command INTEGER",
    "ALTER TABLE event ADD COLUMN key TEXT",
    "CREATE INDEX event_key ON event (execution, key) WHERE key IS NOT NULL",
    """
CREATE TABLE heartbeat ( -- what the running attempts have last said
    execution INTEGER NOT NULL,
    command INTEGER NOT NULL,
    details BLOB NOT NULL,
    PRIMARY KEY (execution, command)
) WITHOUT ROWID""",
)
# An open execution that is not in memory: up to where its log went then, when it is due (NULL: never), and what it
# waits for as JSON. The three are NULL while it is in memory.
_DORMANT = (
    "ALTER TABLE execution ADD COLUMN asleep_position INTEGER",
    "ALTER TABLE execution ADD COLUMN asleep_until INTEGER",
    "ALTER TABLE execution ADD COLUMN waiting BLOB",
)
# What large payloads are put together from. A run has the position of the event that began it; a chunk's key is the
# number of its part and its own within that. From here on the names of new tables begin with `dormouse_`.
_PARTS = (
    """
CREATE TABLE dormouse_part (
    run INTEGER NOT NULL,
    digest BLOB NOT NULL,         -- of the content
    number INTEGER NOT NULL,
    PRIMARY KEY (run, digest)
) WITHOUT ROWID""",
    "CREATE TABLE dormouse_chunk (key INTEGER PRIMARY KEY, content BLOB NOT NULL)",
)
# The requests for approval that wait for a decision; the event at the position says what is asked.
_APPROVALS = ("CREATE TABLE dormouse_approval (position INTEGER PRIMARY KEY, execution INTEGER NOT NULL)",)
# What retention takes away: runs that another one followed, and those whose execution is gone (`ended_at` is 0). `last`
# is the position of the last event that is still there; when none is, `first` says where the run began.
_RUNS = (
    "CREATE INDEX execution_closed ON execution (closed_at) WHERE closed_at IS NOT NULL",
    """
CREATE TABLE dormouse_run (
    id INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL,
    last INTEGER,
    first INTEGER,
    ended_at INTEGER NOT NULL
)""",
    "CREATE INDEX dormouse_run_execution ON dormouse_run (execution)",
    "CREATE INDEX dormouse_run_ended_at ON dormouse_run (ended_at)",
    """
INSERT INTO dormouse_run (execution, last, ended_at)
SELECT execution, before, at FROM (
    SELECT execution, kind, at, lag(position) OVER (PARTITION BY execution ORDER BY position) AS before FROM event
    WHERE execution IN (SELECT execution FROM event WHERE kind = 'ExecutionContinued')
) WHERE kind = 'ExecutionContinued'""",
)
_PAUSED = ("CREATE TABLE dormouse_paused (execution INTEGER PRIMARY KEY)",)
_TRACES = ("ALTER TABLE execution ADD COLUMN traceparent TEXT",)
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _TABLES, _MESSAGES_CHILDREN_HEARTBEATS, _DORMANT, _PARTS, _APPROVALS, _RUNS, _TRACES, _PAUSED,
)  # fmt: skip
"""The step from each version to the next; a file without tables has version 0. Steps are added, never changed."""


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Take the steps that the file lacks, all of them or none.

    Raises:
        NewerFile: when a newer Dormouse has been at it.
    """
    found = _version(connection)
    if found > len(MIGRATIONS):
        raise NewerFile(
            f"{path.name} has version {found} of the engine's tables, and this Dormouse knows {len(MIGRATIONS)}: "
            "a newer one has written it; install that one, or a later one"
        )
    if found == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[_version(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute("CREATE TABLE IF NOT EXISTS dormouse_meta (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute("INSERT OR REPLACE INTO dormouse_meta VALUES (?, ?)", (_KEY, str(len(MIGRATIONS))))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    if not _has_table(connection, "execution"):
        return 0
    found = connection.execute("SELECT value FROM dormouse_meta WHERE key = ?", (_KEY,)).fetchone()
    return 1 if found is None else int(found[0])  # the first version did not write its number


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None
