"""What happened, and what follows from it? The events of the log, and the batch of one turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dormouse.engine.execution import ActivityCall, Execution, Sleep


class Kind(StrEnum):
    """Kinds of events. The names are part of the file format."""

    EXECUTION_STARTED = "ExecutionStarted"
    ACTIVITY_SCHEDULED = "ActivityScheduled"
    ATTEMPT_FAILED = "AttemptFailed"
    ACTIVITY_COMPLETED = "ActivityCompleted"
    ACTIVITY_FAILED = "ActivityFailed"
    ACTIVITY_CANCELLED = "ActivityCancelled"
    TIMER_SET = "TimerSet"
    TIMER_FIRED = "TimerFired"
    TIMER_CANCELLED = "TimerCancelled"
    EXECUTION_COMPLETED = "ExecutionCompleted"
    EXECUTION_FAILED = "ExecutionFailed"


COMMANDS = frozenset({Kind.ACTIVITY_SCHEDULED, Kind.ACTIVITY_CANCELLED, Kind.TIMER_SET, Kind.TIMER_CANCELLED})
"""What the workflow's code decides: a replay must decide the same, in the same order."""


class Event(NamedTuple):
    """One row of the append-only log.

    `command` numbers the activities and timers of an execution in the order in which its code asked for them.
    `previous` is the position of the execution's event before this one: walking back along it takes the place of an
    index, which would double what each commit writes and Litestream uploads.
    """

    position: int
    execution: int
    kind: str
    at: int
    previous: int | None
    command: int | None = None
    name: str | None = None
    attempt: int | None = None
    due: int | None = None
    payload: bytes | None = None
    source: str | None = None


@dataclass(slots=True)
class Batch:
    """One transaction, and the effects that wait until it counts.

    Attributes:
        opened, closed, changed: executions that began, ended, or are blocked or free again.
        begun, delayed, ended: calls to run, to run again later, and that nobody waits for any more.
        sleeping, woken: timers that were set, and that fired or were cancelled.
        resumed: what a replay found still to be waited for.
        recovered: whether it is the first of a life.
        position: the last position that was given.
    """

    events: list[Event] = field(default_factory=list)
    opened: list[Execution] = field(default_factory=list)
    closed: list[Execution] = field(default_factory=list)
    changed: list[Execution] = field(default_factory=list)
    begun: list[ActivityCall] = field(default_factory=list)
    delayed: list[ActivityCall] = field(default_factory=list)
    ended: list[ActivityCall] = field(default_factory=list)
    sleeping: list[Sleep] = field(default_factory=list)
    woken: list[Sleep] = field(default_factory=list)
    resumed: list[ActivityCall | Sleep] = field(default_factory=list)
    recovered: bool = False
    position: int = 0

    @property
    def writes(self) -> bool:
        return bool(self.events or self.changed)

    @property
    def empty(self) -> bool:
        return not (self.writes or self.recovered)

    @property
    def timers_set(self) -> list[ActivityCall | Sleep]:
        return [*self.sleeping, *self.delayed]

    @property
    def timers_gone(self) -> list[ActivityCall | Sleep]:
        return [*self.woken, *self.ended]

    def add(self, other: Batch) -> None:
        """Take over what a replay left to do."""
        self.events += other.events
        self.closed += other.closed
        self.changed += other.changed
        self.begun += other.begun
        self.sleeping += other.sleeping
        self.ended += other.ended
        self.woken += other.woken
        self.resumed += other.resumed
        self.recovered |= other.recovered


class Journal:
    """Numbers the events and gathers the present turn's batch."""

    def __init__(self, next_position: int) -> None:
        self._next = next_position
        self.batch = Batch()

    def reserve(self) -> int:
        """The next position."""
        position = self._next
        self._next = position + 1
        return position

    def take(self) -> Batch:
        """End the turn."""
        batch, self.batch = self.batch, Batch()
        batch.position = self._next - 1
        return batch
