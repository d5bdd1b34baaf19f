"""Where in the file do the parts of large payloads lie? Each once for one run of a workflow, and deleted with it.

A part is written in rows of a few hundred bytes: eight fill a page of SQLite's, while a message of 2 kB in a row of
its own would leave half of its page empty.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b

from dormouse.engine.sealing import Sealing

_DIGEST_BYTES = 20
_CHUNK = 496
_ORDINAL_BITS = 16
LARGEST_PART = _CHUNK << _ORDINAL_BITS


class Parts:
    """Reads parts as they are stored, by a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, number: int) -> bytes:
        """A part's content."""
        found = self._connection.execute(
            "SELECT content FROM dormouse_chunk WHERE key BETWEEN ? AND ? ORDER BY key", _keys(number)
        )
        content = b"".join([content for (content,) in found])
        if not content:
            raise sqlite3.DatabaseError(f"the part {number} of a payload is missing; the file is damaged")
        return content


class PartsWriter:
    """Writes parts, inside of the writer's transaction."""

    def __init__(self, writer: sqlite3.Connection, sealing: Sealing | None) -> None:
        self._writer = writer
        self._sealing = sealing
        self._digest_key = b"" if sealing is None else sealing.digest_key
        self._next = next_part(writer)

    def keep(self, run: int, content: bytes) -> int:
        """The number of the part with this content; it is written when it is new to this run."""
        digest = blake2b(content, digest_size=_DIGEST_BYTES, key=self._digest_key).digest()
        query = "SELECT number FROM dormouse_part WHERE run = ? AND digest = ?"
        found = self._writer.execute(query, (run, digest)).fetchone()
        if found is not None:
            return int(found[0])
        number, self._next = self._next, self._next + 1
        self._writer.execute("INSERT INTO dormouse_part (run, digest, number) VALUES (?, ?, ?)", (run, digest, number))
        if self._sealing is not None:
            content = self._sealing.seal(content, place_of_part(number))
        first, _ = _keys(number)
        self._writer.executemany(
            "INSERT INTO dormouse_chunk (key, content) VALUES (?, ?)",
            [
                (first + ordinal, content[begin : begin + _CHUNK])
                for ordinal, begin in enumerate(range(0, len(content), _CHUNK))
            ],
        )
        return number


def remove_parts(writer: sqlite3.Connection, run: int, chunks: int) -> bool:
    """Delete parts of a run until about so many chunks are gone; False when it had none."""
    removed = 0
    for digest, number in writer.execute("SELECT digest, number FROM dormouse_part WHERE run = ?", (run,)).fetchall():
        removed += writer.execute("DELETE FROM dormouse_chunk WHERE key BETWEEN ? AND ?", _keys(number)).rowcount
        writer.execute("DELETE FROM dormouse_part WHERE run = ? AND digest = ?", (run, digest))
        if removed >= chunks:
            break
    return removed > 0


def next_part(connection: sqlite3.Connection) -> int:
    """The number of the part that is written next."""
    (last,) = connection.execute("SELECT max(key) FROM dormouse_chunk").fetchone()
    return 1 if last is None else (int(last) >> _ORDINAL_BITS) + 1


def place_of_part(number: int) -> str:
    return f"part {number}"


def _keys(number: int) -> tuple[int, int]:
    first = number << _ORDINAL_BITS
    return first, first + (1 << _ORDINAL_BITS) - 1
