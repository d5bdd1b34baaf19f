"""How do tests play the outside of an execution? No file, no clock, no tasks of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from dormouse import Workflow, activity
from dormouse.engine.calls import ActivityCall, Sleep
from dormouse.engine.clock import SECOND
from dormouse.engine.delivery import hear
from dormouse.engine.execution import Execution
from dormouse.engine.journal import CLOSINGS, COMMANDS, Batch, Event, Journal, Kind
from dormouse.engine.payload import Failure, encode
from dormouse.engine.replay import replay

T0 = 1_700_000_000 * SECOND


@activity
async def work(what: str) -> str:
    return what


_runs: list[Run] = []


def let_all_go() -> None:
    """Dispose of what a test has begun."""
    for run in _runs:
        run.execution.dispose()
    _runs.clear()


class Run:
    """An execution whose outside is played by the test; `log` is what a database would hold."""

    def __init__(self, definition: Workflow[..., Any], log: list[Event] | None = None) -> None:
        self.journal = Journal(1 if log is None else log[-1].position + 1)
        self.log = list(log or [])
        self.batch = Batch()
        self.now = T0
        self._gathers = False
        if log is None:
            self.execution = Execution(self.journal, self.journal.reserve(), "one", definition, b"seed")
            self.execution.start(None, T0)
        else:
            self.execution = Execution(self.journal, log[0].execution, "one", definition, b"seed")
            replay(self.execution, self.journal, log)
        _runs.append(self)
        self._turn()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What happens inside shares one transaction."""
        self._gathers = True
        yield
        self._gathers = False
        self._turn()

    def _turn(self) -> None:
        """Commit what has happened, let the code hear of it, and commit what it decides."""
        if self._gathers:
            return
        self.batch = Batch()
        while True:
            written = self.journal.take()
            self.log += written.events
            self.batch.add(written)
            hear(written.heard)
            if self.journal.batch.empty:
                return

    def _call(self, what: str) -> ActivityCall:
        for one in self.execution.pending.values():
            if isinstance(one, ActivityCall) and one.payload == encode([what]):
                return one
        raise AssertionError(f"nobody asked for {what}")

    @property
    def open_calls(self) -> list[str]:
        """What has been asked for, and has not ended."""
        ended = {event.command for event in self.execution.unheard}
        return [
            msgspec.json.decode(one.payload)[0]
            for one in self.execution.pending.values()
            if isinstance(one, ActivityCall) and one.command not in ended
        ]

    def complete(self, what: str) -> None:
        self.now += SECOND
        self.execution.completed(self._call(what), encode(what), what, self.now)
        self._turn()

    def fail(self, what: str) -> None:
        self.now += SECOND
        self.execution.failed(self._call(what), Failure("ValueError", f"no {what}"), self.now)
        self._turn()

    def settle(self) -> None:
        """Commit what a test has had happen by itself."""
        self._turn()

    def signal(self, name: str, value: str) -> None:
        self.now += SECOND
        self.execution.signalled(name, encode(value), None, self.now)
        self._turn()

    def update(self, name: str, value: str) -> None:
        self.now += SECOND
        self.execution.updated(name, encode(value), f"{name}={value}", self.now)
        self._turn()

    def cancel(self) -> None:
        self.now += SECOND
        self.execution.cancel("", self.now)
        self._turn()

    def ring(self) -> None:
        """The earliest timer is due."""
        sleep = min((one for one in self.execution.pending.values() if isinstance(one, Sleep)), key=lambda one: one.due)
        self.now = sleep.due
        self.execution.woken(sleep, self.now)
        self._turn()

    @property
    def asked(self) -> list[str]:
        events = [event for event in self.batch.events if event.kind != Kind.EXECUTION_STARTED]
        return [f"{event.kind} {(event.payload or b'').decode()}".strip() for event in events]

    @property
    def result(self) -> str | None:
        closing = self.log[-1]
        return closing.payload.decode() if closing.payload and self.execution.status.closed else None


def replayed_at_every_event(run: Run, definition: Workflow[..., Any]) -> None:
    """A replay of any prefix that a transaction could end with repeats the log and is not blocked.

    A transaction holds what happened, and what the code had decided up to the one before it: so it may end before
    or after what happened, but not in the middle of what one of them led to.
    """
    log = [event for event in run.log if event.kind not in CLOSINGS]
    ends = [end for end in range(1, len(log) + 1) if end == len(log) or log[end].kind not in COMMANDS]
    for end in ends:
        again = Run(definition, log[:end])
        assert again.execution.blocked is None
        decided = [(event.kind, event.command, event.payload) for event in run.log if event.kind in COMMANDS]
        repeated = [(event.kind, event.command, event.payload) for event in again.log if event.kind in COMMANDS]
        assert repeated == decided[: len(repeated)]
