"""Would a restore give back what the live database holds? Tried out: restored beside it, checked, and compared.

The live side is read in a snapshot that is taken while nobody can write, so that it is exactly the position that
Litestream names then; writers wait for that moment only.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dormouse.keeper.barrier import Barriers
from dormouse.keeper.beginning import remove_leftovers
from dormouse.keeper.client import NotDrilled
from dormouse.keeper.litestream import Litestream, NotSynced, restore
from dormouse.keeper.settings import Settings

_HELD_AT_MOST_SECONDS = 3.0
"""Shorter than the busy timeout of those who write."""
_LOCK_WITHIN_SECONDS = 0.2
"""SQLite's wait for a writer holds up the keeper's loop, and so the watch for a newer life."""
_ATTEMPTS = 30
_RESTORED_WITHIN_SECONDS = 1800.0


@dataclass(frozen=True)
class LiveSide:
    """The live database at one transaction: a digest of each table."""

    txid: int
    tables: dict[str, str]


async def drilled(settings: Settings, prefix: str, litestream: Litestream, barriers: Barriers) -> dict[str, Any]:
    """Restore the present position from `prefix` to a file beside the live one, and say in what they differ.

    Raises:
        NotDrilled: when Litestream does not answer.
    """
    live = await live_side(settings.pod.database, litestream)
    position = await barriers.wait()
    scratch = settings.pod.directory / "drill.sqlite"
    remove_leftovers(scratch)
    run = settings.pod.directory / "run"
    problem = await restore(settings.location, prefix, live.txid, scratch, run, _RESTORED_WITHIN_SECONDS)
    if problem is not None:
        problems = [f"the store's copy cannot be restored: {problem}"]
    else:
        copied = await asyncio.to_thread(digests_of, scratch)
        differing = sorted(dict(live.tables.items() ^ copied.items()))
        problems = [f"table {name} of the copy is not that of the live database" for name in differing]
    return {"position": f"{position.epoch}/{live.txid}", "path": str(scratch), "problems": problems}


async def live_side(database: Path, litestream: Litestream) -> LiveSide:
    """What the live database holds now.

    Raises:
        NotDrilled: when Litestream does not answer.
    """
    trouble = ""
    for _ in range(_ATTEMPTS):
        with closing(_connect(database)) as reader:
            try:
                with _nobody_writes(database):
                    _begin_to_read(reader)
                    async with asyncio.timeout(_HELD_AT_MOST_SECONDS):
                        synced = await litestream.sync()
            except (NotSynced, TimeoutError, sqlite3.OperationalError) as error:
                trouble = f"{type(error).__name__}: {error}"
                await asyncio.sleep(0.1)
                continue
            return LiveSide(synced.txid, await asyncio.to_thread(digests, reader))
    raise NotDrilled(f"the live database could not be read at a position that Litestream knows: {trouble}")


def digests(connection: sqlite3.Connection) -> dict[str, str]:
    """A digest of the rows of each table, but for those that Litestream keeps for itself."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' "
        "AND name NOT LIKE '!_litestream!_%' ESCAPE '!' ORDER BY name"
    )
    return {name: _digest(connection, name) for (name,) in names.fetchall()}


def digests_of(database: Path) -> dict[str, str]:
    """The same of a file that nobody writes."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
        return digests(connection)


def _digest(connection: sqlite3.Connection, table: str) -> str:
    found = hashlib.sha256()
    quoted = table.replace('"', '""')
    for row in connection.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 - a name of the schema
        found.update(repr(row).encode(errors="surrogatepass"))
    return found.hexdigest()


def _connect(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None, timeout=_LOCK_WITHIN_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def _begin_to_read(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


@contextmanager
def _nobody_writes(database: Path) -> Iterator[None]:
    with closing(_connect(database)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.execute("ROLLBACK")
