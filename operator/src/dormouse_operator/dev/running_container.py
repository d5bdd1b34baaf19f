"""How is one container kept running as its restart policy says? One process at a time, in a session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from dormouse_operator.dev.container import ContainerProcess, HttpProbe, Unrunnable
from dormouse_operator.dev.http_get import get
from dormouse_operator.dev.pod_status import ContainerState, Running, Terminated, Waiting, timestamp
from dormouse_operator.dev.processes import end_of, kill_session

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_RUNS_WELL_AFTER_SECONDS = 60.0
_IMPATIENT_PERIOD_SECONDS = 0.1
_LONGEST_MESSAGE_BYTES = 4096
_START_FAILED = 128  # the exit code that a kubelet gives a container whose process cannot be executed
_NEVER_RAN = 137


class Backoff:
    """How long to wait before the next start: not at all at first, then 0.5 s, doubled up to 10 s."""

    def __init__(self) -> None:
        """Nothing failed yet."""
        self._next = 0.0

    def after(self, ran_seconds: float) -> float:
        """The pause after a run of that length; a long one starts the row anew."""
        if ran_seconds >= _RUNS_WELL_AFTER_SECONDS:
            self._next = 0.0
        pause = self._next
        self._next = min(max(pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        return pause


class RunningContainer:
    """Runs until it is over by its policy or told to end. `state` is what its pod's status says of it."""

    def __init__(
        self,
        state: ContainerState,
        prepare: Callable[[], ContainerProcess],
        changed: Callable[[], None],
    ) -> None:
        """`prepare` is asked before each start; an Unrunnable is shown, and tried again."""
        self.state = state
        self._prepare = prepare
        self._changed = changed
        self._child: subprocess.Popen[bytes] | None = None
        self._told_to_end = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return None if self._child is None else self._child.pid

    async def run(self) -> None:
        """Returns once it is over for good."""
        if self.state.is_over:
            return
        backoff = Backoff()
        clock = asyncio.get_running_loop().time
        while not self._told_to_end.is_set():
            started = clock()
            try:
                process = self._prepare()
            except Unrunnable as wrong:
                waiting = Waiting("CreateContainerConfigError", str(wrong))
            else:
                end = await self._run_once(process)
                if self._told_to_end.is_set() or not process.restarts_after(end.exit_code):
                    self._set(now=end, ready=False)
                    return
                waiting = Waiting("CrashLoopBackOff", f"exit code {end.exit_code}; started again after a pause")
                self._set(last=end)
            pause = backoff.after(clock() - started)
            self._set(now=waiting, ready=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._told_to_end.wait()
        never = Terminated(_NEVER_RAN, timestamp(), timestamp(), reason="ContainerStatusUnknown")
        self._set(now=self.state.last or never, ready=False)

    def terminate(self) -> None:
        """SIGTERM, and no start any more."""
        self._told_to_end.set()
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGTERM)  # not reaped yet: the number is still its own

    def kill(self) -> None:
        """SIGKILL for the process and all that it started, and no start any more."""
        self._told_to_end.set()
        if self._child is not None:
            kill_session(self._child.pid)

    async def _run_once(self, process: ContainerProcess) -> Terminated:
        process.termination_message.write_bytes(b"")
        started_at = timestamp()
        try:
            with process.log.open("ab") as log:
                child = subprocess.Popen(  # noqa: ASYNC220 - vfork and exec; its end is awaited on a pidfd
                    process.command,
                    cwd=process.working_directory,
                    env=process.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C in the terminal is for `dormouse dev` alone
                )
        except OSError as failed:
            return Terminated(_START_FAILED, started_at, timestamp(), str(failed), "StartError")
        restarts = self.state.restarts + (1 if self.state.last is not None else 0)
        self._child = child
        self._set(now=Running(started_at), ready=process.probe is None, restarts=restarts)
        probing = None if process.probe is None else asyncio.create_task(self._probe(process.probe))
        try:
            await end_of(child.pid)
        finally:
            if probing is not None:
                probing.cancel()
        # What it started ends with it, as in a container. It is not reaped yet, so the number is still its own.
        kill_session(child.pid)
        self._child = None
        code = child.wait()
        message = _termination_message(process.termination_message)
        return Terminated(code if code >= 0 else 128 - code, started_at, timestamp(), message)

    async def _probe(self, probe: HttpProbe) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        successes = failures = 0
        while True:
            answer = await get(probe.port, probe.path, probe.timeout_seconds)
            if answer is not None and answer.is_success:
                successes, failures = successes + 1, 0
            else:
                successes, failures = 0, failures + 1
            if not self.state.ready and successes >= probe.success_threshold:
                self._set(ready=True)
            elif self.state.ready and failures >= probe.failure_threshold:
                self._set(ready=False)
            # A kubelet keeps to the period; here a person waits for the start.
            period = probe.period_seconds if self.state.ready else _IMPATIENT_PERIOD_SECONDS
            await asyncio.sleep(period)

    def _set(self, **changes: object) -> None:
        state = replace(self.state, **changes)
        if state != self.state:
            self.state = state
            self._changed()


def _termination_message(path: Path) -> str:
    try:
        return path.read_bytes()[:_LONGEST_MESSAGE_BYTES].decode(errors="replace")
    except OSError:  # the folder was removed under the running pod
        return ""
