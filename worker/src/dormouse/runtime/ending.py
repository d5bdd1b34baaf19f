"""With which reason does a life end that goes wrong? Pure."""

from __future__ import annotations

import sqlite3

from dormouse.errors import CannotDecode, FileInUse, InvalidInput, NewerFile, UnknownWorkflow
from dormouse.keeper.client import Fenced, KeeperGone, SealFailed
from dormouse.pod import Ending
from dormouse.runtime.entrypoint import EntrypointFailed

_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (EntrypointFailed, "EntrypointFailed"),
    (UnknownWorkflow, "UnknownWorkflow"),
    (InvalidInput, "InvalidInput"),
    (NewerFile, "NewerFile"),
    (CannotDecode, "CannotDecode"),
    (FileInUse, "FileInUse"),
    (Fenced, "Fenced"),
    (KeeperGone, "KeeperGone"),
    (SealFailed, "SealFailed"),
)


def ending_of(error: BaseException) -> Ending:
    """Every bad end has exit code 1, so that the container is started again."""
    cause = error.__cause__ if error.__cause__ is not None and type(error).__name__ == "EngineStopped" else error
    for kind, reason in _REASONS:
        if isinstance(cause, kind):
            return Ending(reason, str(cause), 1)
    if isinstance(cause, sqlite3.Error):
        if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return Ending("DiskFull", "the volume is full; raise spec.storage.volume.sizeLimit", 1)
        return Ending("DatabaseFailed", f"{type(cause).__name__}: {cause}", 1)
    return Ending("RuntimeFailed", f"{type(cause).__name__}: {cause}", 1)
