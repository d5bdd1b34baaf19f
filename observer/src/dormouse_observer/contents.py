"""What does a file hold, as far as its manifest tells it?"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dormouse.client.file import DatabaseFile
from dormouse.client.opening import NotReadable
from dormouse.commands.copies import REDACTED, why_nothing_goes_on
from dormouse_observer.manifest import Executions


@dataclass(frozen=True)
class Contents:
    """What the engine's tables say; None where the file has none of them."""

    schema: int | None = None
    identity: str | None = None
    executions: Executions | None = None

    @property
    def is_redacted(self) -> bool:
        """Whether it holds placeholders."""
        return self.identity is not None and self.identity.startswith(REDACTED)


def contents_of(file: Path) -> Contents:
    """Of a file that nobody writes."""
    uri = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"execution", "dormouse_meta"} <= tables:
            return Contents()
        meta = dict(connection.execute("SELECT key, value FROM dormouse_meta").fetchall())
        (count, closed) = connection.execute("SELECT count(*), count(closed_at) FROM execution").fetchone()
        columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(execution)")}
        versions = (
            connection.execute("SELECT DISTINCT app_version FROM execution WHERE app_version NOT NULL ORDER BY 1")
            if "app_version" in columns
            else ()
        )
        executions = Executions(count - closed, closed, tuple(str(version) for (version,) in versions))
    schema = meta.get("engine_schema")
    return Contents(None if schema is None else int(schema), meta.get("identity"), executions)


def is_redacted(file: DatabaseFile) -> bool:
    """Whether placeholders stand in the place of all values."""
    return file.identity is not None and file.identity.startswith(REDACTED)


def check_has_values(file: DatabaseFile) -> None:
    """Code decides by values: with placeholders it would seem to match, or to go another way, without a reason.

    Raises:
        NotReadable: when the file was redacted.
    """
    if is_redacted(file):
        raise NotReadable(why_nothing_goes_on(file.path))


def sha256_of(file: Path) -> str:
    """The checksum, as `sha256sum` prints it."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
