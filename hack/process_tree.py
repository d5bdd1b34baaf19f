"""Which processes came from this one, and how are all of them ended? Linux only."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_ENDED_WITHIN_SECONDS = 10.0


def adopt_orphans() -> None:
    """Become the parent of every process below that loses its own, so that `descendants` misses none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


@dataclass(frozen=True)
class Process:
    """As /proc tells it, at the moment when it was looked at."""

    pid: int
    parent: int
    state: str
    command: str


def descendants(top: int | None = None) -> dict[int, str]:
    """List the living processes below one, which is this one by default, each with its command line."""
    seen = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        seen.append(Process(int(folder.name), int(parent), state, command))
    return living_below(os.getpid() if top is None else top, seen)


def living_below(top: int, seen: Iterable[Process]) -> dict[int, str]:
    """Pick the living: one that is dead by now may have been the parent of one that was looked at before."""
    processes = {process.pid: process for process in seen}
    line = below(top, {process.pid: process.parent for process in processes.values()})
    return {pid: processes[pid].command for pid in line if processes[pid].state != "Z"}


def below(top: int, parents: Mapping[int, int]) -> list[int]:
    """Pick the processes whose line of parents reaches the top one."""
    found = {top}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {top})


def kill_all(first: int | None = None) -> dict[int, str]:
    """SIGKILL all descendants, the given one before the others, and return what they were."""
    killed = descendants()
    if first in killed:
        os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + _ENDED_WITHIN_SECONDS
    while running := descendants():
        if time.monotonic() > deadline:
            raise TimeoutError(f"these processes outlive SIGKILL: {running}")
        killed = running | killed
        for pid in running:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)
        reap(except_for=first)
    return killed


def reap(except_for: int | None) -> None:
    """Take the exit codes of adopted processes; that of our own child is left to its Popen."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state == "Z" and int(parent) == os.getpid() and int(folder.name) != except_for:
            os.waitpid(int(folder.name), 0)
