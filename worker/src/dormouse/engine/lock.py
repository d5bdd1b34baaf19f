"""Is this the only engine on a file? Two would run the same activities twice, each unseen by the other."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from functools import cache
from pathlib import Path

from dormouse.errors import FileInUse


class FileLock:
    """Held from `take` to `release`, or until the process dies.

    It is a file of its own beside the database: closing a second handle of the database itself would drop SQLite's
    locks, and Litestream and readers must not be kept out.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(f"{database.name}-lock")
        self._handle: int | None = None

    def take(self) -> None:
        """Take it, or say who has it.

        Raises:
            FileInUse: when another engine has it, also one of this process.
            sqlite3.OperationalError: when the folder does not let us, as SQLite itself would say a moment later.
        """
        while self._handle is None:
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise sqlite3.OperationalError(f"unable to write {self._path}: {error.strerror}") from error
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(handle, 20).decode(errors="replace")
                os.close(handle)
                raise self._refusal(holder) from None
            if self._is_still_there(handle):
                self._handle = handle
                _held.append(self)
                _let_go_in_children()
            else:
                os.close(handle)  # whoever had it has just removed it
        os.ftruncate(self._handle, 0)
        os.write(self._handle, str(os.getpid()).encode())

    def release(self) -> None:
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None
            _held.remove(self)

    def leave(self) -> None:
        """Have this process hold it no longer, a child of the one that took it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_still_there(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False

    def _refusal(self, holder: str) -> FileInUse:
        who = f"process {holder}" if holder.isdigit() else "another process"
        return FileInUse(
            f"{self._database}: the engine of {who} works on this file, and a second one would do its work again. "
            "End that process, or ask it over HTTP; to read, `dormouse show` and `dormouse history` take the file "
            "as it is"
        )


_held: list[FileLock] = []


@cache
def _let_go_in_children() -> None:
    """A fork holds what its parent holds, and may live on when the engine has ended."""
    os.register_at_fork(after_in_child=_leave_all)


def _leave_all() -> None:
    while _held:
        _held.pop().leave()
