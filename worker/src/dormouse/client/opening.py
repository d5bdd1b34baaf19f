"""How is a database file opened so that reading changes nothing, also where a WAL was left beside it?"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from dormouse.errors import DormouseError


class NotReadable(DormouseError):
    """The file cannot be read, or is no database of ours."""


def unreadable(file: Path, error: sqlite3.Error) -> NotReadable:
    """What SQLite has found, with what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code: https://www.sqlite.org/rescode.html
    if code == sqlite3.SQLITE_NOTADB:
        return NotReadable(
            f"{file} is no SQLite file; name a workflow's database, as `dormouse pull` or `dormouse run` makes one"
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return NotReadable(f"{file} is damaged or cut off ({error}); pull or copy it again")
    return NotReadable(f"{file}: {error}; look whether this user may read it, and whether a program has locked it")


@contextmanager
def opened_to_read(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes nothing, not even a WAL of its own.

    Raises:
        NotReadable: when there is no such file.
    """
    path, options = file.absolute(), "mode=ro"
    wal = path.with_name(f"{path.name}-wal")
    if path.is_dir():
        raise NotReadable(f"{file} is a folder; name a file in it")
    if not path.is_file():
        raise NotReadable(f"there is no file {file}")
    with ExitStack() as opened:
        if not wal.exists() or wal.stat().st_size == 0:
            options = "immutable=1"  # else SQLite would make a WAL, only to read
        elif not path.with_name(f"{path.name}-shm").exists():
            # Left by a crash: to read the WAL is to recover it.
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="dormouse-")))
            shutil.copy(path, folder / "db.sqlite")
            shutil.copy(wal, folder / "db.sqlite-wal")
            path = folder / "db.sqlite"
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?{options}", uri=True, isolation_level=None, check_same_thread=False
        )
        opened.callback(connection.close)
        connection.execute("PRAGMA busy_timeout = 5000")
        yield connection
