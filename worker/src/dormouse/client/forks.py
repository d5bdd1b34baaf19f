"""Of what is a file a fork? It says so itself, so that an edited answer is not taken for one that was given."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from dormouse.engine.clock import to_datetime, to_text

_META = "forks"
_YEARS_THAT_ARE = ValueError, OverflowError, OSError


class Fork(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One time that `dormouse fork` has made this file, or one that it was made of.

    Attributes:
        execution: its id.
        event: the position of the last event that was kept of it.
        at: when, in microseconds since 1970, by the clock of whoever did it.
        edited: whether the answer of that event is another than was recorded, and is in this file.
        file: the name of the file that it was made of; empty when that is not to be told.
        workflow: what that file's manifest called it, with the position; empty when there was none.
    """

    execution: str
    event: int
    at: int
    edited: bool = False
    file: str = ""
    workflow: str = ""


class ForkView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The same for programs: `at` as the HTTP API shows moments, and nothing that is not to be told."""

    execution: str
    event: int
    edited: bool
    at: str | None = None
    file: str | None = None
    workflow: str | None = None


_decode = msgspec.json.Decoder(tuple[Fork, ...]).decode


def forks_of(connection: sqlite3.Connection) -> tuple[Fork, ...]:
    """The oldest first; none of a file that is no fork, or where something else has written."""
    found = connection.execute("SELECT value FROM dormouse_meta WHERE key = ?", (_META,)).fetchone()
    try:
        return () if found is None else _decode(found[0])
    except (msgspec.DecodeError, TypeError):
        return ()


def put_forks(connection: sqlite3.Connection, forks: Iterable[Fork]) -> None:
    """Write them down in a file, in the transaction that is open."""
    text = msgspec.json.encode(list(forks)).decode()
    connection.execute("INSERT OR REPLACE INTO dormouse_meta VALUES (?, ?)", (_META, text))


def edited_in(forks: Iterable[Fork]) -> dict[int, Fork]:
    """The events whose answer is not what was recorded, by their positions."""
    return {one.event: one for one in forks if one.edited}


def is_forked_between(forks: Iterable[Fork], begin: int, end: int) -> bool:
    """Whether one was made between two moments: from then until somebody let it go on nothing of it ran."""
    return any(begin < one.at <= end for one in forks)


def fork_view(fork: Fork) -> ForkView:
    try:
        at = to_text(fork.at)
    except _YEARS_THAT_ARE:
        at = None
    return ForkView(fork.execution, fork.event, fork.edited, at, fork.file or None, fork.workflow or None)


def fork_text(fork: Fork) -> str:
    """For a person: of what, at which event, when."""
    origin = f"{fork.workflow} ({fork.file})" if fork.workflow and fork.file else fork.workflow or fork.file
    try:
        when = f"{to_datetime(fork.at):%Y-%m-%d %H:%M:%S} UTC"
    except _YEARS_THAT_ARE:
        when = f"{fork.at} µs"
    edited = ", its answer edited" if fork.edited else ""
    return f"from {origin or 'another file'} at event {fork.event} of {fork.execution}{edited}, on {when}"
