"""Which processes did an earlier `dormouse dev` of this folder leave running? They are killed before a new start."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

_ROUNDS = 5
TAG = "DORMOUSE_DEV_FOLDER"
"""Set in the environment of everything that is started here. Found in /proc, it covers also a process that
was started just before the kill -9, whose id nobody could record, and children whose parent is gone. Not one that
is still between fork and exec: it has its parent's environment, and is found at the next start."""


def tag(folder: Path) -> dict[str, str]:
    """The environment that marks a process as ours."""
    return {TAG: str(folder.absolute())}


def kill_leftovers(folder: Path) -> int:
    """SIGKILL every process of an earlier start, and return how many there were."""
    count = 0
    for _ in range(_ROUNDS):  # again, since one may have started another just before it was killed
        killed = [pidfd for pid in _tagged(folder) if (pidfd := _killed(pid, folder)) is not None]
        if not killed:
            break
        _await_ends(killed)
        count += len(killed)
    return count


def _killed(pid: int, folder: Path) -> int | None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # Looked at again now that the pidfd holds it: the number may have passed to another process.
    if _has_tag(pid, folder):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return pidfd
    os.close(pidfd)
    return None


def _tagged(folder: Path) -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and int(entry.name) != os.getpid() and _has_tag(int(entry.name), folder):
            yield int(entry.name)


def _has_tag(pid: int, folder: Path) -> bool:
    wanted = f"{TAG}={folder.absolute()}".encode()
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone meanwhile, or of another user
        return False


def _await_ends(pidfds: list[int]) -> None:
    waiting = select.poll()
    for pidfd in pidfds:
        waiting.register(pidfd, select.POLLIN)
    left = set(pidfds)
    while left:
        ended = waiting.poll(5000)
        if not ended:
            break  # in uninterruptible sleep: it writes nothing more once it wakes
        for pidfd, _ in ended:
            waiting.unregister(pidfd)
            left.discard(pidfd)
    for pidfd in pidfds:
        os.close(pidfd)
