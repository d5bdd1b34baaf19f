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


@contextmanager
def opened_to_read(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes nothing, not even a WAL of its own.

    Raises:
        NotReadable: when there is no such file.
    """
    path, options = file.absolute(), "mode=ro"
    wal = path.with_name(f"{path.name}-wal")
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
