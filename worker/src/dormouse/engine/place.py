"""Is the file still where it was opened? SQLite goes on writing into one that nobody would find again."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


class Place:
    """Remembers which files a database and its log were."""

    def __init__(self, database: Path) -> None:
        log = database.with_name(f"{database.name}-wal")
        self._opened = [(path, path.stat()) for path in (database, log) if path.exists()]

    def check(self) -> None:
        """Raise sqlite3.OperationalError when the next engine would not find what has just been written."""
        for path, opened in self._opened:
            if not _is(path, opened):
                raise sqlite3.OperationalError(
                    f"{path} was moved, removed or replaced while the engine worked on it, so nothing more is written; "
                    "bring it back together with its -wal, and start again"
                )


def _is(path: Path, opened: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), opened)
    except FileNotFoundError:
        return False
