"""How does a life begin? Claim first, then restore, then the marker; nothing of it is ever assumed."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dormouse.keeper.copied import mark_as_restored
from dormouse.keeper.litestream import restore
from dormouse.keeper.ownership import NotOurs, Ownership, check_conditional_writes, new_nonce, until_answered
from dormouse.keeper.settings import Settings
from dormouse.keeper.steps import Steps
from dormouse.pod import Marker, boot_id, fsync_directory, read_marker, write_marker
from dormouse.replica.base import Ask, find_base
from dormouse.replica.claim import (
    Claimant,
    Decision,
    GoOn,
    Over,
    Prefix,
    Volume,
    Write,
    begun_from,
    decide,
    needs_prefix,
)
from dormouse.replica.current import Base, Current, ImportOf
from dormouse.replica.holding import is_pinned, pinned
from dormouse.replica.layout import epoch_of, transactions
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.store import HistoryStore, Store

_log = logging.getLogger("dormouse.keeper")
_RESTORE_ATTEMPTS = 3
_RESTORE_SECONDS = 1800.0


@dataclass(frozen=True)
class Begun:
    """A life whose database is in place.

    Attributes:
        fresh: all that the database holds is in the store, since it was just restored from there.
        over: the life sealed itself before and only waits to be ended.
    """

    prefix: str
    restored_from: Base | None
    fresh: bool = False
    over: bool = False


async def begin(settings: Settings, store: HistoryStore, ownership: Ownership, steps: Steps) -> Begun:
    """Claim the epoch and bring the database into the volume.

    Raises:
        Refused: when this pod may not live, or its data cannot be had.
        StoreError: when the store refuses for good (credentials, bucket).
    """
    pod = settings.pod
    (pod.directory / "run").mkdir(parents=True, exist_ok=True)
    volume = volume_of(settings)
    prefix = settings.layout.epoch(pod.epoch, pod.pod_uid)
    draft = pod.directory / "db.restoring"
    if volume is Volume.UNMARKED:
        remove_leftovers(draft)
        with steps.step("check store"):
            await check_conditional_writes(store, settings.layout.probe)
    with steps.step("claim"):
        decision = await _claim(settings, store, ownership, volume, prefix, draft)
    if isinstance(decision, Over):
        return Begun(ownership.current.entry.prefix, ownership.current.entry.base, over=True)
    if isinstance(decision, GoOn):
        _log.info("epoch %d goes on with the database in the volume", pod.epoch)
        return Begun(ownership.current.entry.prefix, ownership.current.entry.base)
    _log.info("claimed epoch %d", pod.epoch)
    try:
        with steps.step("pin"):
            base = await _pin(settings, store, ownership)
        with steps.step("restore") as restoring:
            await _fill(settings, store, ownership, base, draft)
            restoring.facts |= _facts(base, draft)
        with steps.step("put in place"):
            await asyncio.to_thread(_put_in_place, draft, pod.database)
            if base is not None and settings.layout.is_own(base.prefix):
                mark_as_restored(pod.database)
            write_marker(pod.marker, Marker(pod.pod_uid, pod.epoch, boot_id()))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full(pod.directory) from error
        raise
    except NotOurs as error:
        raise Refused(Reason.STALE_EPOCH, f"claimed by another life meanwhile: {error}", seen=pod.epoch) from error
    _log.info("restored from %s", base.position if base else "nothing: this is the first life")
    # What came from elsewhere is not below our own prefix yet, so it counts only after a barrier.
    is_fresh = base is not None and settings.layout.is_own(base.prefix)
    return Begun(ownership.current.entry.prefix, base, fresh=is_fresh)


def _facts(base: Base | None, draft: Path) -> dict[str, int | str]:
    """Of a restore, or of a beginning from nothing."""
    return {"bytes": draft.stat().st_size, "position": str(base.position) if base else ""}


def volume_of(settings: Settings) -> Volume:
    """What the volume says of itself."""
    marker = read_marker(settings.pod.marker)
    if (
        marker is None
        or (marker.pod_uid, marker.epoch) != (settings.pod.pod_uid, settings.pod.epoch)
        or not settings.pod.database.exists()
    ):
        return Volume.UNMARKED
    return Volume.MARKED if marker.boot_id == boot_id() else Volume.OTHER_BOOT


async def _claim(
    settings: Settings, store: HistoryStore, ownership: Ownership, volume: Volume, prefix: str, draft: Path
) -> Decision:
    while True:
        claimant = Claimant(
            workflow_uid=settings.pod.workflow_uid,
            owner=settings.pod.pod_uid,
            epoch=settings.pod.epoch,
            prefix=prefix,
            nonce=new_nonce(),
            first_claim=settings.first_claim,
            allow_empty_restore=settings.allow_empty_restore,
            adopts_released=settings.adopts_released,
            take_over_from=settings.take_over_from,
        )
        seen = await ownership.read()
        below = None
        if needs_prefix(seen, claimant, volume):
            below = await until_answered(lambda: _look(store, settings, prefix), "listing the prefix")
            if not isinstance(seen, Current) and below.newest_epoch:
                # A claim may have come between; what has no CURRENT even now belongs to nobody.
                seen = await ownership.read()
        decision = decide(seen, claimant, volume, below)
        if isinstance(decision, Write) and decision.begins and settings.restore is not None:
            from dormouse.keeper.origin import find_beginning  # nearly no claim needs it

            found = await find_beginning(store, settings.restore, settings.layout, draft)
            decision = Write(begun_from(decision.record, found.origin, found.base))
        if not isinstance(decision, Write) or await ownership.write(decision.record):
            return decision


async def _look(store: Store, settings: Settings, prefix: str) -> Prefix:
    newest, own = 0, False
    async for key in store.keys(settings.layout.epochs):
        newest = max(newest, epoch_of(key) or 0)
        own = own or key.startswith((f"{prefix}/", f"{prefix}-"))
    return Prefix(newest, own)


async def _pin(settings: Settings, store: Store, ownership: Ownership) -> Base | None:
    """Find what to restore and write it into our entry: from now on that old epoch ends there for all history."""
    if is_pinned(ownership.current):
        return ownership.current.entry.base
    known: dict[int, int] = {}
    while True:
        step = find_base(ownership.current, known, settings.allow_empty_restore)
        if not isinstance(step, Ask):
            break
        entry = step.entry
        known[entry.epoch] = await until_answered(lambda: newest_txid(store, entry.prefix), "listing an epoch")  # noqa: B023
    # What the claim wrote carries the store's own time; the node's clock may be anything.
    await until_answered(ownership.confirm_by_reading, "reading the claim")
    base, claimed_at = step.base, ownership.modified

    def change(current: Current) -> Current:
        return pinned(current, base, claimed_at)

    await ownership.update(change)
    return base


async def _fill(settings: Settings, store: HistoryStore, ownership: Ownership, base: Base | None, draft: Path) -> None:
    """Make the draft of the database: from the base, from an import, or empty."""
    current, database = ownership.current, settings.pod.database
    remove_leftovers(database)
    # Whoever gives up what was acknowledged starts empty, not with the import once more.
    given_up = any(entry.replicated for entry in current.lineage)
    if base is None and (given_up or not isinstance(current.origin, ImportOf)):
        await asyncio.to_thread(_create, draft, current.identity)
        return
    if base is not None:
        await _restore(settings, ownership, base, draft)
        if settings.layout.is_own(base.prefix):
            return
    from dormouse.keeper.origin import fetch_import, make_own

    if isinstance(current.origin, ImportOf) and not draft.exists():  # else the claim has just brought and checked it
        await fetch_import(store, current.origin, draft)
    await asyncio.to_thread(make_own, draft, current.identity, paused=settings.pauses_executions)


async def newest_txid(store: Store, prefix: str) -> int:
    """The last transaction that the store has below an epoch's prefix; 0 when it has none."""
    newest = 0
    async for key in store.keys(prefix + "/"):
        found = transactions(key)
        if found is not None:
            newest = max(newest, found[1])
    return newest


async def _restore(settings: Settings, ownership: Ownership, base: Base, draft: Path) -> None:
    problem: str | None = None
    current, is_own = ownership.current, settings.layout.is_own(base.prefix)
    for attempt in range(_RESTORE_ATTEMPTS):
        problem = await restore(
            settings.location, base.prefix, base.txid, draft, settings.pod.directory / "run", _RESTORE_SECONDS
        )
        if problem is None:
            check_identity(draft, current.expected_identity(is_own=is_own))
            return
        _log.warning("restoring %s: %s", base.position, problem)
        if "no space left" in problem:
            raise disk_full(settings.pod.directory)
        remove_leftovers(draft)
        await until_answered(ownership.confirm, "asking the store")
        await asyncio.sleep(0.2 * attempt)
    if not is_own:
        raise Refused(
            Reason.RESTORE_SOURCE_MISSING,
            f"the source that this workflow begins with, {base.position} ({base.prefix}), cannot be restored any more: "
            f"{problem}. Its own retention may have removed it; delete this DurableWorkflow with "
            "deletionPolicy: Delete, and restore a later position",
        )
    raise Refused(
        Reason.REPLICA_CORRUPT,
        f"the store answers, but its copy of {base.position} ({base.prefix}) cannot be restored: {problem}. Bring the "
        "damaged objects back from a versioned bucket, or start a fork at an older position",
    )


def check_identity(database: Path, expected: str) -> None:
    """See that what was restored is this workflow's. Raises Refused."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
            row = connection.execute("SELECT value FROM dormouse_meta WHERE key = 'identity'").fetchone()
    except sqlite3.DatabaseError as error:
        raise Refused(Reason.IDENTITY_MISMATCH, f"what was restored is not a dormouse database: {error}") from error
    if row is None or row[0] != expected:
        raise Refused(
            Reason.IDENTITY_MISMATCH,
            f"what was restored belongs to {row[0] if row else 'nobody'}, CURRENT says {expected}. Something else "
            "wrote under this prefix; do not share a prefix",
        )


def _create(draft: Path, identity: str) -> None:
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # before anything else, or never
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("CREATE TABLE dormouse_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
            connection.execute("INSERT INTO dormouse_meta VALUES ('identity', ?)", (identity,))
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise disk_full(draft.parent) from error
        raise


def remove_leftovers(*databases: Path) -> None:
    """Take databases away, with all that lies beside them."""
    for database in databases:
        for suffix in ("", "-wal", "-shm", "-journal"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        if (folder := database.with_name(f".{database.name}-litestream")).exists():
            from shutil import rmtree  # with its compressors it weighs a MiB, and most lives find nothing to remove

            rmtree(folder, ignore_errors=True)


def _put_in_place(draft: Path, database: Path) -> None:
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(database)
    fsync_directory(database.parent)


def disk_full(directory: Path) -> Refused:
    """The refusal that names the volume."""
    return Refused(
        Reason.DISK_FULL,
        f"the volume {directory} is full; an emptyDir needs three times the database: raise storage.volume.sizeLimit",
    )
