"""What does one workflow's code ask for, and does it ask the same again? One execution: its loop, log and replay.

It touches nothing outside: what happens is handed to it, and what follows it writes into the journal's batch.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections import deque
from collections.abc import Coroutine, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from dormouse.engine.awaiting import Made, NotAwaited
from dormouse.engine.clock import SECOND
from dormouse.engine.definitions import Activity, Workflow
from dormouse.engine.info import WorkflowInfo
from dormouse.engine.journal import COMMANDS, Event, Journal, Kind
from dormouse.engine.loop import Callback, Restless, WorkflowLoop
from dormouse.engine.mismatch import Blocked, Issued, blocked_by_code, blocked_by_forgotten_await, blocked_by_mismatch
from dormouse.engine.payload import Failure, decode_failure, encode, failure_of
from dormouse.engine.source import source_of
from dormouse.errors import ActivityError

if TYPE_CHECKING:
    from random import Random


class Status(StrEnum):
    """What the database says of an execution."""

    OPEN = "Open"
    BLOCKED = "Blocked"
    COMPLETED = "Completed"
    FAILED = "Failed"

    @property
    def closed(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED)


class ActivityCall(asyncio.Future[Any]):
    """A call that the workflow waits for. Cancelling it is a decision of the workflow, so it is recorded.

    Attributes:
        attempt: the one that runs or, when it is `due` in the future, that follows.
        position: of the event that says so; 0 when an earlier life wrote it.
    """

    def __init__(self, execution: Execution, command: int, activity: Activity[..., Any], payload: bytes) -> None:
        super().__init__(loop=execution.loop)
        self.execution = execution
        self.command = command
        self.activity = activity
        self.payload = payload
        self.attempt = 1
        self.due: int | None = None
        self.position = 0
        self.last_failure: Failure | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self.execution.call_cancelled(self)
        return True


class Sleep:
    """A timer that the workflow has set."""

    __slots__ = ("callback", "command", "due", "execution", "position")

    def __init__(self, execution: Execution, command: int, due: int, callback: Callback) -> None:
        self.execution = execution
        self.command = command
        self.due = due
        self.callback = callback
        self.position = 0

    def cancel(self) -> None:
        if not self.callback.cancelled():
            self.callback.cancel()
            self.execution.sleep_cancelled(self)

    def cancelled(self) -> bool:
        return self.callback.cancelled()

    def when(self) -> float:
        return self.due / SECOND


class Execution:
    """One run of a workflow."""

    def __init__(
        self, journal: Journal, key: int, execution_id: str, workflow: Workflow[..., Any], seed: bytes
    ) -> None:
        self.key = key
        self.id = execution_id
        self.workflow = workflow
        self.seed = seed
        self.status = Status.OPEN
        self.blocked: Blocked | None = None
        self.started_at = 0
        self.moment = 0
        self.last_position: int | None = None
        self.closed_position: int | None = None
        self.loop = WorkflowLoop(self)  # type: ignore[abstract] # it leaves out what needs the outside
        self.pending: dict[int, ActivityCall | Sleep] = {}
        self._journal = journal
        self._expected: deque[Event] = deque()
        self._commands = 0
        self.failure: Failure | None = None
        self._not_awaited = NotAwaited()
        self._main: asyncio.Task[Any] | None = None
        self._chance: Random | None = None
        self._replaying = False

    # What the user's code may ask.

    @property
    def info(self) -> WorkflowInfo:
        return WorkflowInfo(self.id, self.workflow.name, self._replaying)

    @property
    def chance(self) -> Random:
        if self._chance is None:
            from random import Random

            self._chance = Random(self.seed)  # noqa: S311 - it must repeat itself
        return self._chance

    # What happens to the execution.

    def begin(self, payload: bytes | None, at: int) -> None:
        """Start the workflow's code. The journal's caller has recorded the start."""
        self.started_at = self.moment = at
        arguments = () if payload is None else (self.workflow.input.decode(payload),)
        coroutine = self.workflow.function(*arguments)
        self._main = self.loop.create_task(coroutine, name=self.id, context=contextvars.Context())
        self._go_on()

    def completed(self, call: ActivityCall, payload: bytes, value: Any, at: int) -> None:
        """An activity has a result."""
        self.moment = max(self.moment, at)
        self._settle(call)
        self._record(Kind.ACTIVITY_COMPLETED, call.command, payload=payload)
        call.set_result(value)
        self._go_on()

    def failed(self, call: ActivityCall, failure: Failure, at: int) -> None:
        """An activity failed for good."""
        self.moment = max(self.moment, at)
        self._settle(call)
        self._record(Kind.ACTIVITY_FAILED, call.command, attempt=call.attempt, payload=encode(failure))
        call.set_exception(_activity_error(call, failure))
        self._go_on()

    def attempt_failed(self, call: ActivityCall, failure: Failure, at: int, due: int) -> None:
        """An attempt failed and another one follows. The workflow does not notice."""
        self._record(Kind.ATTEMPT_FAILED, call.command, attempt=call.attempt, due=due, payload=encode(failure), at=at)
        call.attempt += 1
        call.due = due
        call.position = self.last_position or 0
        call.last_failure = failure
        self._journal.batch.delayed.append(call)

    def woken(self, sleep: Sleep, at: int) -> None:
        """A timer's moment has come."""
        self.moment = max(self.moment, at)
        del self.pending[sleep.command]
        self._journal.batch.woken.append(sleep)
        self._record(Kind.TIMER_FIRED, sleep.command)
        self.loop.ring(sleep.callback)
        self._go_on()

    def replay(self, events: Sequence[Event]) -> None:
        """Run the code again over its log. Afterwards `pending` holds what is still to happen, or it is blocked."""
        self._expected = deque(event for event in events if event.kind in COMMANDS)
        self._replaying = True
        self.last_position = events[-1].position
        try:
            self.begin(events[0].payload, events[0].at)
            for event in events[1:]:
                if event.kind not in COMMANDS:
                    self._repeat(event)
        except (msgspec.ValidationError, TypeError) as error:
            self.block(blocked_by_code(f"the code does not fit the values of the log: {error}"))
        if self._expected:
            self.block(blocked_by_mismatch(self._expected[0], None))
        self._replaying = False
        self._close_if_done()
        if self.blocked is None:
            recorded = max((event.command or 0 for event in events), default=0)
            self._journal.batch.resumed += [one for one in self.pending.values() if one.command <= recorded]

    def block(self, blocked: Blocked) -> None:
        """Stop here: the code cannot go on."""
        if self.blocked is None:
            self.blocked = blocked
            self.status = Status.BLOCKED
            if not self._replaying:
                self._journal.batch.changed.append(self)

    def dispose(self) -> None:
        """Let go of the code; the execution goes on elsewhere, or it is over."""
        self.loop.dispose()
        self.pending.clear()
        self._not_awaited.close()

    # What the user's code asks for.

    def call(self, activity: Activity[..., Any], payload: bytes, source: str | None) -> Coroutine[Any, Any, Any]:
        """Record an activity's call, once it is awaited, and wait for its result."""
        number = self._not_awaited.next_number()
        return self._not_awaited.add(number, Made(self._call(number, activity, payload, source), activity.name, source))

    def call_part(
        self, workflow: Workflow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], source: str | None
    ) -> Coroutine[Any, Any, Any]:
        """Run a workflow's function as a part of this one."""
        number = self._not_awaited.next_number()
        return self._not_awaited.add(
            number, Made(self._call_part(number, workflow, args, kwargs), workflow.name, source)
        )

    async def _call_part(
        self, number: int, workflow: Workflow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self._not_awaited.began(number)
        return await workflow.function(*args, **kwargs)

    async def _call(self, number: int, activity: Activity[..., Any], payload: bytes, source: str | None) -> Any:
        self._not_awaited.began(number)
        command = self._next_command()
        call = ActivityCall(self, command, activity, payload)
        self.pending[command] = call
        if self._is_new(Issued(Kind.ACTIVITY_SCHEDULED, command, activity.name, payload, source)):
            self._record(Kind.ACTIVITY_SCHEDULED, command, name=activity.name, payload=payload, source=source)
            call.position = self.last_position or 0
            self._journal.batch.begun.append(call)
        return await call

    def set_timer(self, moment: int, callback: Callback) -> Any:
        """Record a timer."""
        command = self._next_command()
        recorded = self._expected[0].due if self._expected else None
        sleep = Sleep(self, command, max(moment, self.moment) if recorded is None else recorded, callback)
        self.pending[command] = sleep
        source = source_of(sys._getframe(2))
        if self._is_new(Issued(Kind.TIMER_SET, command, None, None, source)):
            self._record(Kind.TIMER_SET, command, due=sleep.due, source=source)
            sleep.position = self.last_position or 0
            self._journal.batch.sleeping.append(sleep)
        return sleep

    def call_cancelled(self, call: ActivityCall) -> None:
        if self.pending.pop(call.command, None) is None or self.loop.is_closed():
            return
        if self._is_new(Issued(Kind.ACTIVITY_CANCELLED, call.command, None, None, None)):
            self._record(Kind.ACTIVITY_CANCELLED, call.command)
            self._journal.batch.ended.append(call)

    def sleep_cancelled(self, sleep: Sleep) -> None:
        if self.pending.pop(sleep.command, None) is None or self.loop.is_closed():
            return
        if self._is_new(Issued(Kind.TIMER_CANCELLED, sleep.command, None, None, None)):
            self._record(Kind.TIMER_CANCELLED, sleep.command)
            self._journal.batch.woken.append(sleep)

    # How.

    def _next_command(self) -> int:
        if self.loop.is_closed():
            raise GeneratorExit  # a `finally` of code that is let go of: it asks for nothing any more
        self._commands += 1
        return self._commands

    def _is_new(self, issued: Issued) -> bool:
        """Whether the log does not hold this yet. What differs from the log blocks the execution."""
        if self.blocked is not None:
            return False
        if not self._expected:
            return True
        if issued.repeats(self._expected[0]):
            self._expected.popleft()
        else:
            self.block(blocked_by_mismatch(self._expected[0], issued))
        return False

    def _record(
        self,
        kind: Kind,
        command: int | None = None,
        *,
        name: str | None = None,
        attempt: int | None = None,
        due: int | None = None,
        payload: bytes | None = None,
        source: str | None = None,
        at: int | None = None,
    ) -> None:
        journal = self._journal
        position = journal.reserve()
        moment = self.moment if at is None else at
        journal.batch.events.append(
            Event(position, self.key, kind, moment, self.last_position, command, name, attempt, due, payload, source)
        )
        self.last_position = position

    def _repeat(self, event: Event) -> None:
        """Deliver one recorded event again."""
        if self.blocked is not None:
            return
        command = event.command or 0
        if command > self._commands or self._main is None or self._main.done():
            self.block(blocked_by_mismatch(self._expected[0] if self._expected else event, None))
            return
        waiting = self.pending.get(command)
        if waiting is None:
            return  # it had been cancelled before its end was delivered
        if event.kind == Kind.ATTEMPT_FAILED and isinstance(waiting, ActivityCall):
            waiting.attempt = (event.attempt or 0) + 1
            waiting.due = event.due
            waiting.last_failure = decode_failure(event.payload or b"")
            return
        self.moment = max(self.moment, event.at)
        del self.pending[command]
        if isinstance(waiting, Sleep):
            self.loop.ring(waiting.callback)
        elif event.kind == Kind.ACTIVITY_COMPLETED:
            waiting.set_result(waiting.activity.result.decode(event.payload or b""))
        else:
            waiting.attempt = event.attempt or waiting.attempt
            waiting.set_exception(_activity_error(waiting, decode_failure(event.payload or b"")))
        self._go_on()

    def _settle(self, call: ActivityCall) -> None:
        del self.pending[call.command]
        if call.due is not None:
            self._journal.batch.ended.append(call)

    def _go_on(self) -> None:
        try:
            self.loop.drain()
        except Restless as error:
            self.block(blocked_by_code(str(error)))
        if not self._replaying:
            self._close_if_done()

    def _close_if_done(self) -> None:
        main = self._main
        if main is None or not main.done() or self.blocked is not None:
            return
        payload = b""
        error = asyncio.CancelledError("the workflow cancelled itself") if main.cancelled() else main.exception()
        if error is None:
            forgotten = self._not_awaited.forgotten()
            if forgotten:
                self.block(blocked_by_forgotten_await([(made.name, made.source) for made in forgotten]))
                return
            try:
                payload = encode(main.result())
            except TypeError as unencodable:
                error = unencodable
        self._main = None
        if error is not None:
            self.failure = failure_of(error)
            payload = encode(self.failure)
        self.status = Status.COMPLETED if self.failure is None else Status.FAILED
        kind = Kind.EXECUTION_COMPLETED if self.failure is None else Kind.EXECUTION_FAILED
        self._record(kind, payload=payload)
        self.closed_position = self._journal.batch.events[-1].position
        self._journal.batch.closed.append(self)


def _activity_error(call: ActivityCall, failure: Failure) -> ActivityError:
    return ActivityError(call.activity.name, failure.type, failure.message, call.attempt)
