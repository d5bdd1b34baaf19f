"""What happened, and what follows from it? The events of the log, and the batch of one turn."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from dormouse.engine.calls import ActivityCall, ApprovalCall, ChildCall, Pending, Sleep
    from dormouse.engine.ending import End
    from dormouse.engine.execution import Execution
    from dormouse.engine.registry import Dormant


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
    CHILD_STARTED = "ChildStarted"
    CHILD_COMPLETED = "ChildCompleted"
    CHILD_FAILED = "ChildFailed"
    CHILD_CANCELLED = "ChildCancelled"
    APPROVAL_REQUESTED = "ApprovalRequested"
    APPROVAL_DECIDED = "ApprovalDecided"
    APPROVAL_EXPIRED = "ApprovalExpired"
    APPROVAL_WITHDRAWN = "ApprovalWithdrawn"
    SIGNAL_RECEIVED = "SignalReceived"
    UPDATE_ACCEPTED = "UpdateAccepted"
    UPDATE_COMPLETED = "UpdateCompleted"
    UPDATE_FAILED = "UpdateFailed"
    PATCHED = "Patched"
    CANCEL_REQUESTED = "CancelRequested"
    EXECUTION_COMPLETED = "ExecutionCompleted"
    EXECUTION_FAILED = "ExecutionFailed"
    EXECUTION_CANCELLED = "ExecutionCancelled"
    EXECUTION_TERMINATED = "ExecutionTerminated"
    EXECUTION_RETRIED = "ExecutionRetried"
    EXECUTION_CONTINUED = "ExecutionContinued"


COMMANDS: frozenset[str] = frozenset(
    kind.value  # plain texts, as events have them: those are found without comparing
    for kind in (
        Kind.ACTIVITY_SCHEDULED,
        Kind.ACTIVITY_CANCELLED,
        Kind.TIMER_SET,
        Kind.TIMER_CANCELLED,
        Kind.CHILD_STARTED,
        Kind.CHILD_CANCELLED,
        Kind.APPROVAL_REQUESTED,
        Kind.APPROVAL_WITHDRAWN,
        Kind.UPDATE_COMPLETED,
        Kind.UPDATE_FAILED,
        Kind.PATCHED,
    )
)
"""What the workflow's code decides: a replay must decide the same, in the same order."""
CLOSINGS = frozenset(
    {Kind.EXECUTION_COMPLETED, Kind.EXECUTION_FAILED, Kind.EXECUTION_CANCELLED, Kind.EXECUTION_TERMINATED}
)
"""What ends a log, until the execution is retried."""


class Event(NamedTuple):
    """One row of the append-only log.

    `command` numbers what an execution's code asks for, and its answers to updates, in their order.
    `previous` is the position of the execution's event before this one: walking back along it takes the place of an
    index, which would double what each commit writes and Litestream uploads. `key` is the idempotency key of a
    message and of its answer, the id of a child, or the digest of a request for approval.
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
    key: str | None = None


class Batch(msgspec.Struct):
    """One transaction, and the effects that wait until it counts.

    Attributes:
        opened, closed, changed: executions that began, ended, or are blocked, free or open again.
        begun, delayed, ended: calls to run, to run again later, and that nobody waits for any more.
        beaten, silenced: calls whose heartbeat has new details, and whose details are not needed any more.
        sleeping, woken: timers that were set, and that fired or were cancelled.
        requested, decided: requests for approval, and those that wait for no decision any more.
        resumed: what a replay found still to be waited for.
        asleep: executions that have left memory, with what they wait for as JSON, or that are back in it, by key.
        heard: what came from outside, for the code to hear of once it counts.
        large: the run of each event whose payload is large, by position; a run has the position of its first event.
        ended_runs: key, last position and moment of runs that another one follows.
        also: what else is written, after all the rest.
        answers: who asked for something, and what is answered.
        recovered: whether with it all that an earlier life left open is back.
        position: the last position that was given.
    """

    events: list[Event] = []
    opened: list[Execution] = []
    closed: list[Execution] = []
    changed: list[Execution] = []
    begun: list[ActivityCall] = []
    delayed: list[ActivityCall] = []
    ended: list[ActivityCall] = []
    beaten: list[ActivityCall] = []
    silenced: list[ActivityCall] = []
    sleeping: list[Sleep | ApprovalCall] = []
    woken: list[Sleep | ApprovalCall] = []
    requested: list[ApprovalCall] = []
    decided: list[ApprovalCall] = []
    resumed: list[Pending | Dormant] = []
    asleep: dict[int, tuple[Dormant, bytes] | None] = {}
    heard: list[tuple[Execution, Event]] = []
    large: dict[int, int] = {}
    ended_runs: list[tuple[int, int | None, int]] = []
    also: list[Callable[[sqlite3.Connection], None]] = []
    answers: list[tuple[asyncio.Future[Any], Any]] = []
    recovered: bool = False
    position: int = 0

    @property
    def writes(self) -> bool:
        return bool(self.events or self.changed or self.beaten or self.asleep or self.also)

    @property
    def only_adds_events(self) -> bool:
        """Whether it changes nothing in the file but the log: most batches, while activities follow each other."""
        executions = self.opened or self.closed or self.changed or self.asleep or self.ended_runs
        timers = self.sleeping or self.woken or self.delayed or self.ended
        return not (executions or timers or self.requested or self.decided or self.beaten or self.silenced or self.also)

    @property
    def empty(self) -> bool:
        return not (self.writes or self.resumed or self.recovered or self.answers)

    @property
    def timers_set(self) -> list[ActivityCall | Sleep | ApprovalCall]:
        return [*self.sleeping, *self.delayed]

    @property
    def timers_gone(self) -> list[ActivityCall | Sleep | ApprovalCall]:
        return [*self.woken, *self.ended]

    def add(self, other: Batch) -> None:
        """Take over what a replay left to do."""
        self.events += other.events
        self.closed += other.closed
        self.changed += other.changed
        self.begun += other.begun
        self.sleeping += other.sleeping
        self.ended += other.ended
        self.silenced += other.silenced
        self.woken += other.woken
        self.requested += other.requested
        self.decided += other.decided
        self.resumed += other.resumed
        self.asleep |= other.asleep
        self.heard += other.heard
        self.large |= other.large
        self.ended_runs += other.ended_runs
        self.answers += other.answers
        self.recovered |= other.recovered


class Begins(msgspec.Struct, frozen=True):
    """A workflow has called another one."""

    call: ChildCall


class Ends(msgspec.Struct, frozen=True):
    """An execution has closed: its parent wants to know."""

    execution: Execution
    end: End


class Orphaned(msgspec.Struct, frozen=True):
    """The workflow that has called an execution is over."""

    call: ChildCall


class Unwanted(msgspec.Struct, frozen=True):
    """A workflow waits for a child no longer."""

    call: ChildCall


Consequence = Begins | Ends | Orphaned | Unwanted
"""What one execution's turn means for others, in the same transaction."""


class Journal:
    """Numbers the events and gathers the present turn's batch; the file's digests are made with the key."""

    def __init__(self, next_position: int, digest_key: bytes = b"") -> None:
        self.next_position = next_position
        self.digest_key = digest_key
        self.batch = Batch()
        self.consequences: deque[Consequence] = deque()

    @property
    def pressing(self) -> bool:
        """Whether somebody waits for what the present batch writes; what only says which calls have begun may wait."""
        batch = self.batch
        return bool(self.consequences or batch.closed or batch.changed or batch.answers or batch.heard)

    def reserve(self) -> int:
        """The next position."""
        position = self.next_position
        self.next_position = position + 1
        return position

    def take(self) -> Batch:
        """End the turn."""
        batch, self.batch = self.batch, Batch()
        batch.position = self.next_position - 1
        return batch
