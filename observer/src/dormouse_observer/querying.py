"""What does SQL find in one or many files? Files are only read, and a query can reach nothing else."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dormouse.client.opening import NotReadable, opened_to_read
from dormouse.errors import DormouseError

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_LOOK_EVERY_INSTRUCTIONS = 10_000


class NotQueried(DormouseError):
    """The query is wrong, or took too long; the message says in which file."""


@dataclass(frozen=True)
class Rows:
    """What was found, each row behind the file that it is of. `is_cut` when there were more than the limit."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool


def query(files: Iterable[Path], sql: str, *, limit: int, seconds: float) -> Rows:
    """Run one SELECT over each file.

    Args:
        files: in the order of the answer.
        sql: of one statement that only reads.
        limit: rows in all.
        seconds: for each file.

    Raises:
        NotQueried: when the statement does something else, is wrong, or does not end.
        NotReadable: when there is no such file.
    """
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = []
    for file in files:
        with _reading(file, seconds) as connection:
            found = connection.execute(sql)
            if found.description is None:
                raise NotQueried("only SELECT finds something; write a query")
            columns = ("FILE", *(name for name, *_ in found.description))
            for row in found:
                if len(rows) == limit:
                    return Rows(columns, rows, is_cut=True)
                rows.append((str(file), *row))
    return Rows(columns, rows, is_cut=False)


@contextmanager
def _reading(file: Path, seconds: float) -> Iterator[sqlite3.Connection]:
    deadline = time.monotonic() + seconds
    try:
        with opened_to_read(file) as connection:
            connection.set_authorizer(_authorized)
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _LOOK_EVERY_INSTRUCTIONS)
            yield connection
    except sqlite3.Error as error:
        if str(error) == "interrupted":
            raise NotQueried(f"{file}: no end after {seconds:g} s; ask for less, or give more --seconds") from error
        if "not authorized" in str(error) or "prohibited" in str(error):
            raise NotQueried(f"{file}: a query may only read this file ({error})") from error
        if "not a database" in str(error):
            raise NotReadable(f"{file} is no SQLite file") from error
        raise NotQueried(f"{file}: {error}") from error


def _authorized(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
