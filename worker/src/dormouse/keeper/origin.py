"""With what does a history begin that does not begin empty? With a position of another workflow, or with a file.

Nothing is ever written to the source. Everything that can be wrong with it is found before the claim, so that a
refusal leaves nothing behind under the new name.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dormouse.keeper.ownership import until_answered
from dormouse.keeper.settings import FromName, FromObject
from dormouse.replica.current import (
    Base,
    Current,
    CurrentMalformed,
    ForkOf,
    ImportOf,
    Origin,
    Position,
    State,
    decode,
)
from dormouse.replica.history import AskFiles, File, Resolved, is_settled, resolve
from dormouse.replica.layout import HEADER_BYTES, Layout, transactions, written_at
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import HistoryStore, StoredObject

_log = logging.getLogger("dormouse.keeper")
_UNSETTLED_SECONDS = 0.2
_SETTLED_WITHIN_SECONDS = 60.0
"""Then a person is told: a source that is suspended, for one, may not begin by itself."""
_CLOCK_ERROR = timedelta(minutes=1)
_STORE_CLOCK_STEP = timedelta(seconds=1)
"""Last-Modified has whole seconds, the rest cut off."""
_PART_BYTES = 4 << 20


@dataclass(frozen=True)
class Beginning:
    """What the first record of the new history says; an import has no base."""

    origin: Origin
    base: Base | None


async def find_beginning(store: HistoryStore, wanted: FromName | FromObject, layout: Layout, draft: Path) -> Beginning:
    """The pinned source; an imported file lies in `draft` then, checked.

    Raises:
        Refused: when the source is missing, or has no such position, or the file is another one.
    """
    if isinstance(wanted, FromObject):
        origin = ImportOf(layout.imported(wanted.key), wanted.sha256)
        await fetch_import(store, origin, draft)
        return Beginning(origin, None)
    if isinstance(wanted.at, datetime) and wanted.at > datetime.now(UTC) + _CLOCK_ERROR:
        raise Refused(
            Reason.RESTORE_OUTSIDE_WINDOW,
            f"restore.at {wanted.at.isoformat()} lies in the future; choose an earlier time, or leave `at` out for the "
            "newest position",
        )
    began = time.monotonic()
    warned = False
    while True:
        source, etag = await _read_source(store, wanted)
        if not is_settled(source):
            if time.monotonic() - began >= _SETTLED_WITHIN_SECONDS:
                raise Refused(
                    Reason.RESTORE_SOURCE_BEGINS,
                    f"epoch {source.epoch} of {wanted.name!r} has claimed and not begun, so where the one before it "
                    "ends is not known yet; let it run",
                )
            if not warned:
                warned = True
                _log.warning(
                    "epoch %d of %s has not said yet where it begins, which is where the one before it ends; waiting",
                    source.epoch, wanted.name,
                )  # fmt: skip
            await asyncio.sleep(_UNSETTLED_SECONDS)
            continue
        base = await resolved(store, source, wanted.at)
        # What was listed counts only while no later life was claimed: it may have pinned less.
        again = await until_answered(
            lambda: store.get(wanted.source.current, unless_etag=etag),  # noqa: B023
            "reading the source's CURRENT",
        )
        if not isinstance(again, StoredObject) or _lineage_of(again) == [one.epoch for one in source.lineage]:
            return Beginning(ForkOf(source.identity), base)


async def files_below(store: HistoryStore, prefix: str) -> list[File]:
    """The LTX files of an epoch."""
    found = []
    async for listed in store.objects(prefix + "/"):
        txids = transactions(listed.key)
        if txids is not None:
            found.append(File(listed.key, *txids, listed.modified + _STORE_CLOCK_STEP))
    return found


async def _read_source(store: HistoryStore, wanted: FromName) -> tuple[Current, str]:
    found = await until_answered(lambda: store.get(wanted.source.current), "reading the source's CURRENT")
    remedy = "restore.fromName names a DurableWorkflow of this namespace whose data is in the same store"
    if not isinstance(found, StoredObject):
        raise Refused(Reason.RESTORE_SOURCE_MISSING, f"there is no data of {wanted.name!r} in this store; {remedy}")
    try:
        current = decode(found.data)
    except CurrentMalformed as problem:
        raise Refused(
            Reason.RESTORE_SOURCE_MISSING, f"CURRENT of {wanted.name!r} cannot be read: {problem}; restore that object"
        ) from problem
    if current.state is State.DELETING:
        raise Refused(
            Reason.RESTORE_SOURCE_DELETING,
            f"the data of {wanted.name!r} is being deleted; nothing can be restored from it any more. Choose another "
            "source, or bring its objects back from a versioned bucket",
        )
    if current.state is State.RELEASED and not current.lineage:
        raise Refused(Reason.RESTORE_SOURCE_MISSING, f"the data of {wanted.name!r} was deleted; {remedy}")
    return current, found.etag


async def resolved(store: HistoryStore, source: Current, at: Position | datetime | None) -> Base:
    """What is to be restored for this position or time; None means the newest.

    Raises:
        Refused: when there is no such position.
    """
    files: dict[str, list[File]] = {}
    written: dict[str, datetime] = {}
    while True:
        step = resolve(source, at, files, written)
        if isinstance(step, Resolved):
            return step.base
        if isinstance(step, AskFiles):
            prefix = step.entry.prefix
            files[prefix] = await until_answered(lambda: files_below(store, prefix), "listing the source")  # noqa: B023
        else:
            written[step.file.key] = await written_when(store, step.file)


async def written_when(store: HistoryStore, file: File) -> datetime:
    """When the last transaction of a file was written; when the store had it, if the file does not say."""
    header = await until_answered(lambda: store.part(file.key, 0, HEADER_BYTES), "reading when a file was written")
    return written_at(header or b"") or file.stored_by


def _lineage_of(found: StoredObject) -> list[int]:
    try:
        return [entry.epoch for entry in decode(found.data).lineage]
    except CurrentMalformed:
        return []  # reading it again says what is wrong


async def fetch_import(store: HistoryStore, origin: ImportOf, draft: Path) -> None:
    """Bring the file into `draft` and see that it is the one that was meant, and whole.

    Raises:
        Refused: RestoreSourceMissing or ImportCorrupt; `draft` is gone then.
    """
    size = await until_answered(lambda: store.size(origin.key), "asking for the import")
    if size is None:
        raise Refused(
            Reason.RESTORE_SOURCE_MISSING,
            f"there is no object {origin.key!r} in the bucket; upload the SQLite file there, or correct "
            "restore.fromObject.key",
        )
    digest = hashlib.sha256()
    try:
        with draft.open("wb") as file:
            for start in range(0, size, _PART_BYTES):
                count = min(_PART_BYTES, size - start)
                part = await until_answered(
                    lambda: store.part(origin.key, start, count),  # noqa: B023
                    "reading the import",
                )
                digest.update(part or b"")
                file.write(part or b"")
        if digest.hexdigest() != origin.sha256:
            raise _corrupt(
                origin.key,
                f"has the SHA-256 {digest.hexdigest()}, and restore.fromObject.sha256 says {origin.sha256}",
                "upload the file that was meant, or correct the checksum",
            )
        _check_whole(draft, origin.key)
    except Refused:
        draft.unlink(missing_ok=True)
        raise


def _check_whole(database: Path, key: str) -> None:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise _corrupt(
            key,
            f"is no whole SQLite database: {found}",
            "make it with `sqlite3 FILE '.backup COPY'`, never by copying a file that is in use",
        )


def _corrupt(key: str, what: str, remedy: str) -> Refused:
    return Refused(Reason.IMPORT_CORRUPT, f"the object {key!r} {what}; {remedy}")


def make_own(database: Path, identity: str, *, paused: bool) -> None:
    """Let what came from elsewhere be this workflow's: its idempotency keys differ from now on.

    Whether its open executions pause is for the engine to do, which knows its tables.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS dormouse_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        connection.execute("INSERT OR REPLACE INTO dormouse_meta VALUES ('identity', ?)", (identity,))
        if paused:
            connection.execute("INSERT OR REPLACE INTO dormouse_meta VALUES ('pause_open_executions', 'true')")
        connection.execute("COMMIT")
