"""When has a child ended, and how does everything that it started end with it?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal


async def end_of(pid: int) -> None:
    """Wait until a child has ended, without reaping it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    pidfd = os.pidfd_open(pid)
    try:
        loop.add_reader(pidfd, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


def kill_session(pid: int) -> None:
    """SIGKILL for a process that leads a session of its own, and for all in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
