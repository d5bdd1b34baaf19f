"""How do tests play the outside of an execution? No file, no clock, no tasks of ours."""

from __future__ import annotations

from typing import Any

from dormouse import Workflow, activity
from dormouse.engine.calls import ActivityCall, Sleep
from dormouse.engine.clock import SECOND
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Batch, Event, Journal, Kind
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
        if log is None:
            self.execution = Execution(self.journal, self.journal.reserve(), "one", definition, b"seed")
            self.execution.start(None, T0)
        else:
            self.execution = Execution(self.journal, log[0].execution, "one", definition, b"seed")
            replay(self.execution, self.journal, log)
        _runs.append(self)
        self._turn()

    def _turn(self) -> None:
        self.batch = self.journal.take()
        self.log += self.batch.events

    def _call(self, what: str) -> ActivityCall:
        for one in self.execution.pending.values():
            if isinstance(one, ActivityCall) and one.payload == encode([what]):
                return one
        raise AssertionError(f"nobody asked for {what}")

    def complete(self, what: str) -> None:
        self.now += SECOND
        self.execution.completed(self._call(what), encode(what), what, self.now)
        self._turn()

    def fail(self, what: str) -> None:
        self.now += SECOND
        self.execution.failed(self._call(what), Failure("ValueError", f"no {what}"), self.now)
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
    """A replay of any prefix that a transaction could end with asks for nothing new and is not blocked."""
    log = [event for event in run.log if event.kind not in {Kind.EXECUTION_COMPLETED, Kind.EXECUTION_FAILED}]
    ends = [
        end
        for end in range(1, len(log) + 1)
        if end == len(log) or log[end].kind in {Kind.ACTIVITY_COMPLETED, Kind.ACTIVITY_FAILED, Kind.TIMER_FIRED}
    ]
    for end in ends:
        again = Run(definition, log[:end])
        assert again.execution.blocked is None
        closing = {Kind.EXECUTION_COMPLETED, Kind.EXECUTION_FAILED}
        assert {event.kind for event in again.batch.events} <= closing
