"""Is what was restored still all that the database holds? Told from its files, whoever may have written.

A life that changed nothing is a copy of what it began from, and need not be kept beside it (`dormouse.replica.
collection`). Litestream itself writes one page when it starts, in a table of its own.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

_RESTORED_NS = 1_000_000_000
"""Every write to the file leaves a later time."""
_MOST_FRAMES = 64
_HEADER = struct.Struct(">IIIIII8s")
_FRAME = struct.Struct(">II")
_WAL_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_LITESTREAMS_PAGES = "SELECT rootpage FROM sqlite_master WHERE name IN ('_litestream_seq', '_litestream_lock')"


def mark_as_restored(database: Path) -> None:
    """Remember in the file itself that nobody has written to it yet."""
    os.utime(database, ns=(_RESTORED_NS, _RESTORED_NS))


def is_as_restored(database: Path) -> bool:
    """Whether all that was committed since is Litestream's own; in doubt it is not."""
    try:
        if database.stat().st_mtime_ns != _RESTORED_NS:
            return False
        with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
            own = {page for (page,) in connection.execute(_LITESTREAMS_PAGES)}
        return _written_pages(database.with_name(database.name + "-wal")) <= own
    except (OSError, sqlite3.DatabaseError, struct.error, ValueError):
        return False


def _written_pages(wal: Path) -> set[int]:
    """The pages in a WAL that was never begun anew.

    Raises:
        ValueError: when there is more than what is worth reading, or something was there before.
    """
    with wal.open("rb") as file:
        _, _, page_bytes, checkpoints, *_ = _HEADER.unpack(file.read(_HEADER.size))
        step = _FRAME_HEADER_BYTES + page_bytes
        frames = (os.fstat(file.fileno()).st_size - _WAL_HEADER_BYTES) // step
        if checkpoints or frames > _MOST_FRAMES:
            raise ValueError(f"{checkpoints} checkpoints, {frames} frames")
        found = set()
        for number in range(frames):
            file.seek(_WAL_HEADER_BYTES + number * step)
            found.add(_FRAME.unpack(file.read(_FRAME.size))[0])
        return found
