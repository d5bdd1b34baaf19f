"""What does SQL find in one or many files? Files are only read, and a query can reach nothing else.

Functions read what the tables alone do not show: `payload(position)` puts an event's payload together, as JSON, and
`usage(position)` tells what a call of a model used. Both are NULL where there is none, or its key is missing.
`forked_between(begin, end)` says whether the file is a fork that was made between two moments, and so stood still; NULL
where one of them is.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dormouse.client.file import DatabaseFile
from dormouse.client.forks import Fork, forks_of, is_forked_between
from dormouse.client.opening import NotReadable, opened_to_read, unreadable
from dormouse.engine.sealing import Codec
from dormouse.engine.stored import StoredPayloads
from dormouse.errors import CannotDecode, DormouseError, NewerFile
from dormouse_observer.canned import CANNED, Canned

if TYPE_CHECKING:
    from dormouse_observer.web.prices import PriceList

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_LOOK_EVERY_INSTRUCTIONS = 10_000
_LARGEST_LOOKED_AT = 1024 * 1024
_SELECT_EVENT = "SELECT position, execution, kind, at, previous, command, name, payload FROM event WHERE position = ?"


class NotQueried(DormouseError):
    """The query is wrong, or took too long; the message says in which file."""


class NoSuchTable(NotQueried):
    """The file lacks a table or a column that the query names; others may have it."""


@dataclass(frozen=True)
class Rows:
    """What was found.

    Attributes:
        rows: each behind the file that it is of.
        is_cut: whether there were more than the limit.
        without: why other files have answered nothing: they cannot be read, or lack a table or a column.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool
    without: tuple[str, ...] = ()


def query(
    files: Iterable[Path],
    sql: str,
    *,
    limit: int,
    seconds: float,
    codec: Codec | None = None,
    prices: PriceList | None = None,
) -> Rows:
    """Run one SELECT over each file.

    Args:
        files: in the order of the answer.
        sql: of one statement that only reads, or the name of a query that is known.
        limit: rows in all.
        seconds: for each file.
        codec: of the files.
        prices: by which `usage` says what a call cost whose provider has not told it.

    Raises:
        NotQueried: when the statement does something else, is wrong, or does not end, or no query has this name.
        NotReadable, NewerFile, NoSuchTable: when no file answers: there is no such file, for a known query no such
            database of ours, or no such table or column in it.
    """
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = []
    without: list[DormouseError] = []
    known = _meant(sql)
    for file in files:
        try:
            if known is not None:
                with DatabaseFile(file):
                    pass  # it says what is wrong with a file whose tables the query does not fit
            with _reading(file, seconds) as connection:
                _add_functions(connection, codec, prices)
                found = connection.execute(sql if known is None else known.sql)
                if found.description is None:
                    raise NotQueried("only SELECT finds something; write a query")
                columns = ("FILE", *(name for name, *_ in found.description))
                for row in found:
                    if len(rows) == limit:
                        return Rows(columns, rows, is_cut=True, without=tuple(map(str, without)))
                    rows.append((str(file), *row))
        except (NotReadable, NewerFile, NoSuchTable) as error:
            without.append(error)
    if without and not columns:
        raise without[0]
    return Rows(columns, rows, is_cut=False, without=tuple(map(str, without)))


def _meant(sql: str) -> Canned | None:
    """The query that a single word names; None for one that is written out."""
    name = sql.strip()
    if not name.isidentifier():
        return None
    if name not in CANNED:
        raise NotQueried(f"there is no query {name!r}; write a SELECT, or one of {', '.join(CANNED)}")
    return CANNED[name]


@contextmanager
def _reading(file: Path, seconds: float) -> Iterator[sqlite3.Connection]:
    deadline = time.monotonic() + seconds
    try:
        with opened_to_read(file) as connection:
            connection.execute("PRAGMA schema_version")  # a query of no table would not find that it is none
            _add_tables_of_later_versions(connection)
            connection.set_authorizer(_authorized)
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _LOOK_EVERY_INSTRUCTIONS)
            yield connection
    except sqlite3.Error as error:
        if str(error) == "interrupted":
            raise NotQueried(f"{file}: no end after {seconds:g} s; ask for less, or give more --seconds") from error
        if "user-defined function" in str(error):
            raise NotQueried(f"{file}: a payload cannot be put together; the file is damaged") from error
        if "not authorized" in str(error) or "prohibited" in str(error):
            raise NotQueried(f"{file}: a query may only read this file ({error})") from error
        if str(error).startswith(("no such table", "no such column")):
            raise NoSuchTable(f"{file}: {error}") from error
        if "not a database" in str(error):
            raise unreadable(file, error) from error
        raise NotQueried(f"{file}: {error}") from error


def _add_tables_of_later_versions(connection: sqlite3.Connection) -> None:
    """What an older file lacks is empty; in memory, as nothing is written to the file."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if {"execution", "event"} <= tables and "dormouse_paused" not in tables:
        connection.execute("CREATE TEMP TABLE dormouse_paused (execution INTEGER PRIMARY KEY)")


def _add_functions(connection: sqlite3.Connection, codec: Codec | None, prices: PriceList | None) -> None:
    payloads = StoredPayloads(connection, codec)

    def payload(position: int) -> str | None:
        row = connection.execute(_SELECT_EVENT, (position,)).fetchone()
        if row is None:
            return None
        *fields, stored = row
        try:
            whole = payloads.event((*fields, None, None, stored, None, None)).payload
        except CannotDecode:
            return None
        return None if whole is None else whole.decode()

    def usage(position: int) -> str | None:
        return _usage(payload(position), prices)

    @cache
    def forks() -> tuple[Fork, ...]:  # the file does not change, and a query may ask for each of its rows
        return forks_of(connection)

    def forked_between(begin: int | None, end: int | None) -> bool | None:
        return None if begin is None or end is None else is_forked_between(forks(), begin, end)

    connection.create_function("forked_between", 2, forked_between)
    connection.create_function("payload", 1, payload)
    connection.create_function("usage", 1, usage)


def _usage(payload: str | None, prices: PriceList | None) -> str | None:
    """The model, tokens and cost that a value tells, as JSON."""
    from dormouse_observer.web.messages import recognised

    if payload is None or len(payload) > _LARGEST_LOOKED_AT:
        return None
    try:
        found = recognised(msgspec.json.decode(payload))
    except (msgspec.DecodeError, RecursionError):
        return None
    if found is None or not found.is_model or found.usage is None:
        return None
    used = found.usage if prices is None else prices.priced(found.model, found.usage)
    told = {"model": found.model or None, "input": used.input, "output": used.output, "cost": used.cost}
    return msgspec.json.encode(told).decode()


def _authorized(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
