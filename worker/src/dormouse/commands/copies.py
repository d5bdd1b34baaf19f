"""May a runtime go on with a file, or is it a copy that is only looked at? And what can be done instead?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

REDACTED = "redacted-"
"""With this the identity of a redacted file begins."""
_WRITABLE = 0o222


def why_not_to_run(database: Path) -> str | None:
    """Why no runtime is to go on with this file, with the remedy; None for one that may be run, or made."""
    if not database.is_file():
        return None
    if _is_redacted(database):
        return why_nothing_goes_on(database)
    if not database.stat().st_mode & _WRITABLE:  # asked of the mode: root could write all the same
        return (
            f"{database} is read-only, as pulled copies are: run as they are, they would act in the name of "
            "the workflow that they were pulled from. Go on from an event with `dormouse fork`, which makes a new "
            "file, restore it under a new name (spec.restore), or chmod u+w a file that is yours"
        )
    return None


def why_nothing_goes_on(file: Path) -> str:
    """What can be done with a redacted file, and with its original alone."""
    return (
        f"{file} was redacted: it holds placeholders instead of values, and code decides by values, so nothing goes "
        "on from it; look at it with `dormouse list`, `show`, `history`, `tree` and `open`, and ask whoever exported "
        "it for the original"
    )


def _is_redacted(database: Path) -> bool:
    """As the file itself says; a WAL beside it cannot change that."""
    uri = f"file:{quote(str(database.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found = connection.execute("SELECT value FROM dormouse_meta WHERE key = 'identity'").fetchone()
    except sqlite3.Error:
        return False
    return found is not None and str(found[0]).startswith(REDACTED)
