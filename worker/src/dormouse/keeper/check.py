"""`python -m dormouse.keeper.check`: restore what the next life would begin with, beside nothing that lives.

For a replay check: it claims nothing and only reads from the store. What it found lies in the volume for the container
that replays it.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from dormouse.ending import end_process
from dormouse.keeper.beginning import check_identity, disk_full, newest_txid, remove_leftovers
from dormouse.keeper.litestream import restore
from dormouse.keeper.process import REASONS
from dormouse.keeper.settings import Settings, parse
from dormouse.logs import log_as_told
from dormouse.pod import TERMINATION_LOG, InvalidSettings, checked_database, checked_position, say_farewell
from dormouse.replica.base import Ask, find_base
from dormouse.replica.current import Base, Current, CurrentMalformed, LineageEntry, Position, State, decode
from dormouse.replica.refusal import Reason, Refused
from dormouse.replica.s3 import S3
from dormouse.replica.store import (
    BucketMissing,
    Store,
    StoreDenied,
    StoredObject,
    StoreUnknown,
    StoreUnsupported,
)

_log = logging.getLogger("dormouse.keeper")
_T = TypeVar("_T")
_ATTEMPTS = 5
_PAUSE_SECONDS = 1.0
_RESTORE_SECONDS = 1800.0


async def restore_newest(settings: Settings, store: Store) -> Position | None:
    """Bring the newest state into the volume; None when there is none, since the workflow never held any data.

    Raises:
        Refused: when its data is not there, or is another's.
        StoreUnknown: when the store does not answer.
    """
    (settings.pod.directory / "run").mkdir(parents=True, exist_ok=True)
    draft = checked_database(settings.pod.directory)
    problem: str | None = None
    for attempt in range(_ATTEMPTS):
        remove_leftovers(draft)
        current = await _current(settings, store)
        base = None if current is None else await _base(current, store)
        if current is None or base is None:
            return None
        run = settings.pod.directory / "run"
        problem = await restore(settings.location, base.prefix, base.txid, draft, run, _RESTORE_SECONDS)
        if problem is None:
            is_own = settings.layout.is_own(base.prefix)
            check_identity(draft, current.expected_identity(is_own=is_own))
            return base.position
        _log.warning("restoring %s: %s", base.position, problem)
        if "no space left" in problem:
            raise disk_full(settings.pod.directory)
        # The life that runs may have merged what was listed, so look again.
        await asyncio.sleep(_PAUSE_SECONDS * attempt)
    raise Refused(Reason.REPLICA_CORRUPT, f"the store's copy cannot be restored: {problem}")


async def _current(settings: Settings, store: Store) -> Current | None:
    found = await _answered(lambda: store.get(settings.layout.current))
    if not isinstance(found, StoredObject):
        if settings.first_claim:
            return None
        raise Refused(Reason.CURRENT_MISSING, "the store has no CURRENT for this workflow, which has lived before")
    try:
        current = decode(found.data)
    except CurrentMalformed as problem:
        raise Refused(Reason.CURRENT_MALFORMED, f"CURRENT cannot be understood: {problem}") from problem
    if current.workflow_uid != settings.pod.workflow_uid:
        raise Refused(Reason.NAME_TAKEN, f"the data of this name belongs to workflow {current.workflow_uid}")
    if current.state in (State.DELETING, State.RELEASED):
        raise Refused(Reason(current.state.value), "the data of this workflow was given away, or is being removed")
    return current


async def _base(current: Current, store: Store) -> Base | None:
    """What the next life would find."""
    coming = replace(current, lineage=(*current.lineage, LineageEntry(current.epoch + 1, "")))
    known: dict[int, int] = {}
    while isinstance(step := find_base(coming, known), Ask):
        entry = step.entry
        known[entry.epoch] = await _answered(lambda: newest_txid(store, entry.prefix))  # noqa: B023
    return step.base


async def _answered(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Unlike a life, a check gives up: what it cannot find out it says."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await ask()
        except StoreUnknown as error:
            _log.warning("%s", error)
            await asyncio.sleep(_PAUSE_SECONDS)
    return await ask()


def main() -> int:
    """Restore, and say what was found or why not; the exit code."""
    try:
        log_as_told(os.environ)
        settings = parse(os.environ)
    except InvalidSettings as error:
        farewell = Path(os.environ.get("DORMOUSE_TERMINATION_LOG") or TERMINATION_LOG)
        return _failed(farewell, Reason.INVALID_SETTINGS, str(error))
    log = settings.pod.termination_log
    try:
        position = asyncio.run(restore_newest(settings, S3(settings.location)))
        told = {"position": None if position is None else str(position)}
        checked_position(settings.pod.directory).write_text(json.dumps(told), encoding="utf-8")
    except Refused as refused:
        return _failed(log, refused.refusal.reason, refused.refusal.message)
    except StoreUnknown as error:
        return _failed(log, "StoreUnreachable", str(error))
    except (StoreDenied, BucketMissing, StoreUnsupported) as error:
        return _failed(log, REASONS[type(error)], str(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _failed(log, Reason.DISK_FULL, disk_full(settings.pod.directory).refusal.message)
        return _failed(log, Reason.INVALID_SETTINGS, f"{type(error).__name__}: {error}")
    _log.info("restored %s", position or "nothing: there is no data yet")
    return 0


def _failed(farewell: Path, reason: str, message: str) -> int:
    _log.error("%s: %s", reason, message)
    say_farewell(farewell, reason, message)
    return 1


if __name__ == "__main__":
    end_process(main())
