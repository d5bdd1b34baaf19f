"""How is the guest's process started, told and ended? With all that it starts, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from dormouse.keeper.children import die_with_parent

_KILLED_BY = 128  # the exit code of whoever dies by signal n is 128 + n, as in a shell


class Guest:
    """A command that runs, at the head of a process group of its own.

    Attributes:
        exit_code: resolves once it has ended, and with it what is left of its group.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._descriptor = os.pidfd_open(process.pid)
        self.exit_code: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._ended)

    @classmethod
    def start(cls, command: Sequence[str], environment: Mapping[str, str]) -> Guest:
        """Raises OSError when there is no such program, or it may not be run."""
        return cls(
            subprocess.Popen(
                command,
                env=dict(environment),
                process_group=0,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - only a call of the kernel
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: int) -> None:
        """Pass a signal on to the command; what it started is its own affair."""
        if not self.exit_code.done():
            # Not by Popen, which would reap it first, and then its group's number could be anybody's.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it and what it started, at once."""
        if not self.exit_code.done():
            self._kill_group()

    async def end(self, within_seconds: float) -> int:
        """Tell it to end, and end it when it does not; its exit code."""
        self.send(signal.SIGTERM)
        await asyncio.wait({self.exit_code}, timeout=within_seconds)
        self.kill()
        return await self.exit_code

    def _ended(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        # It is not reaped yet, so the number of the group is still its own. Who is left there would write unguarded.
        self._kill_group()
        code = self._process.wait()
        self.exit_code.set_result(code if code >= 0 else _KILLED_BY - code)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
