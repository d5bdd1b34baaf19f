"""SQLite cannot use the file: what is the matter, and what can a person do? Pure."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_REMEDIES = {
    sqlite3.SQLITE_NOTADB: "name another --database; this file was left as it is",
    sqlite3.SQLITE_CORRUPT: "keep it for inspection, and go on with a copy from before it was damaged",
    sqlite3.SQLITE_FULL: "make room and run again: what was acknowledged is in the file",
    sqlite3.SQLITE_IOERR: "look at the disk and its limits, then run again: what was acknowledged is in the file",
    sqlite3.SQLITE_READONLY: "let this user write the file and its folder",
}
_OTHERWISE = "look whether the folder exists and this user may write there"


def explain(database: Path, error: BaseException) -> str:
    """The file, SQLite's own words, and the remedy."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code: https://www.sqlite.org/rescode.html
    remedy = _OTHERWISE if code is None else _REMEDIES.get(code & 0xFF, _OTHERWISE)
    return f"{database}: {error}; {remedy}"
