"""What does a workflow's code ask for, and does it ask the same again? The host of its loop.

What is asked for the first time goes into the log and the journal's batch; in a replay it must repeat the log.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import msgspec

from dormouse.engine.awaiting import NotAwaited
from dormouse.engine.calls import ActivityCall, ApprovalCall, ChildCall, Sleep
from dormouse.engine.decision import Decision, digest_of
from dormouse.engine.ending import ContinueAsNew
from dormouse.engine.info import Whose, WorkflowInfo
from dormouse.engine.journal import Begins, Journal, Kind, Unwanted
from dormouse.engine.log import Log
from dormouse.engine.loop import Callback
from dormouse.engine.mailbox import Mailbox, Outcome, UpdateRun
from dormouse.engine.mismatch import Issued, blocked_by_value
from dormouse.engine.requests import check_input
from dormouse.engine.source import source_of
from dormouse.errors import AlreadyDecided, NotInWorkflow

if TYPE_CHECKING:
    from random import Random

    from dormouse.engine.definitions import Activity, Workflow
    from dormouse.engine.execution import Execution
    from dormouse.engine.messages import Approval, Signal

T = TypeVar("T")
_SCHEDULED = Kind.ACTIVITY_SCHEDULED.value  # it is asked for in every step, and an enum is slow to find its members


class Commands:
    """The code's side of one execution."""

    def __init__(self, execution: Execution, log: Log, journal: Journal) -> None:
        self.not_awaited = NotAwaited()
        self._made = 0
        self._execution = execution
        self._log = log
        self._journal = journal
        self._chance: Random | None = None
        self._reading = False

    # What it may know.

    @property
    def moment(self) -> int:
        return self._log.moment

    @property
    def mailbox(self) -> Mailbox:
        return self._execution.mailbox

    @property
    def info(self) -> WorkflowInfo:
        return WorkflowInfo(self._execution.id, self._execution.workflow.name, self._log.replaying, self._log.length)

    @property
    def replaying(self) -> bool:
        return self._log.replaying

    @property
    def whose(self) -> Whose:
        return Whose(self._execution.id, self._execution.workflow.name)

    @property
    def chance(self) -> Random:
        self.refuse_while_reading()
        if self._chance is None:
            from random import Random

            # Not the same numbers again after it has continued as new.
            seed = self._execution.seed + str(self._log.first_command or "").encode()
            self._chance = Random(seed)  # noqa: S311 - it must repeat itself
        return self._chance

    def patched(self, name: str) -> bool:
        self.refuse_while_reading()
        return self._execution.blocked is None and self._log.is_patched(name)

    def continue_as_new(self, arguments: tuple[Any, ...]) -> NoReturn:
        self.refuse_while_reading()
        payload = self._execution.workflow.encode_input(arguments, {})
        check_input(self._execution.workflow, payload)
        raise ContinueAsNew(payload)

    def only_reading(self, function: Callable[[], T]) -> T:
        """Run what must not ask for anything."""
        self._reading = True
        try:
            return self._execution.loop.run_inside(function)
        finally:
            self._reading = False

    # What it asks for.

    def call(self, activity: Activity[..., Any], payload: bytes, source: str | None) -> Coroutine[Any, Any, Any]:
        """Record an activity's call, once it is awaited, and wait for its result."""
        number = self._made = self._made + 1
        coroutine = self._call(number, activity, payload, source)
        self.not_awaited[number] = (coroutine, activity.name, source)
        return coroutine

    def call_child(
        self, workflow: Workflow[..., Any], payload: bytes | None, source: str | None
    ) -> Coroutine[Any, Any, Any]:
        """Record that another workflow is started, once it is awaited, and wait for its result."""
        number = self._made = self._made + 1
        coroutine = self._call_child(number, workflow, payload, source)
        self.not_awaited[number] = (coroutine, workflow.name, source)
        return coroutine

    def receive(self, signal: Signal[Any], source: str | None) -> Coroutine[Any, Any, Any]:
        """Wait for a signal, once it is awaited."""
        number = self._made = self._made + 1
        coroutine = self._receive(number, signal)
        self.not_awaited[number] = (coroutine, f"{signal.name}.receive", source)
        return coroutine

    async def _call(self, number: int, activity: Activity[..., Any], payload: bytes, source: str | None) -> Any:
        del self.not_awaited[number]
        command = self._next_command()
        log, name = self._log, activity.name
        execution = self._execution
        loop = execution.loop
        future: asyncio.Future[Any] = asyncio.Future(loop=loop)
        call = ActivityCall(execution, command, activity, payload, source, future)
        execution.pending[command] = loop.asked[future] = call
        recorded = log.upcoming() if log.expected else None
        if recorded is not None:
            call.scheduled_at = recorded.at
            self._is_new(Issued(_SCHEDULED, command, name, payload, source))
        elif execution.blocked is None:
            call.scheduled_at = log.moment
            call.position = log.record(_SCHEDULED, command, payload, None, name, source).position
            self._journal.batch.begun.append(call)
        return await future

    async def _call_child(
        self, number: int, workflow: Workflow[..., Any], payload: bytes | None, source: str | None
    ) -> Any:
        del self.not_awaited[number]
        command = self._next_command()
        child_id = workflow.child_options.id or f"{self._execution.id}.{command}"
        call = ChildCall(self._execution, command, workflow, payload, child_id)
        call.source = source
        self._execution.pending[command] = call
        if self._is_new(Issued(Kind.CHILD_STARTED, command, workflow.name, payload, source)):
            call.position = self._log.record(
                Kind.CHILD_STARTED, command, name=workflow.name, payload=payload, source=source, key=child_id
            ).position
            self._journal.consequences.append(Begins(call))
        return await call

    def request(
        self, approval: Approval[Any], payload: bytes, within: int | None, source: str | None
    ) -> Coroutine[Any, Any, Decision]:
        """Record a request for approval, once it is awaited, and wait for the decision."""
        number = self._made = self._made + 1
        coroutine = self._request(number, approval, payload, within, source)
        self.not_awaited[number] = (coroutine, f"{approval.name}.request", source)
        return coroutine

    async def _request(
        self, number: int, approval: Approval[Any], payload: bytes, within: int | None, source: str | None
    ) -> Decision:
        del self.not_awaited[number]
        command = self._next_command()
        recorded, batch = self._log.upcoming(), self._journal.batch
        kind, name = Kind.APPROVAL_REQUESTED, approval.name
        if recorded is not None:
            due, digest = recorded.due, recorded.key or ""
        else:
            due = None if within is None else self.moment + within
            digest = digest_of(self._execution.id, command, name, payload, self._journal.digest_key)
        call = ApprovalCall(self._execution, command, approval, digest, due)
        call.source = source
        self._execution.pending[command] = call
        if self._is_new(Issued(kind, command, name, payload, source)):
            call.position = self._log.record(
                kind, command, name=name, due=due, payload=payload, source=source, key=call.digest
            ).position
            batch.requested.append(call)
            if due is not None:
                batch.sleeping.append(call)
        elif recorded is not None:
            call.position = recorded.position
        return await call

    async def _receive(self, number: int, signal: Signal[Any]) -> Any:
        del self.not_awaited[number]
        payload = await self.mailbox.take(signal.name)
        try:
            return signal.value.decode(payload)
        except msgspec.ValidationError as error:
            self._execution.block(blocked_by_value(f"the signal {signal.name!r}", signal.value_type, error))
            return await self._execution.loop.create_future()

    def set_timer(self, moment: int, callback: Callback) -> Any:
        """Record a timer."""
        command = self._next_command()
        recorded = self._log.upcoming()
        due = None if recorded is None else recorded.due
        sleep = Sleep(self._execution, command, max(moment, self.moment) if due is None else due, callback)
        self._execution.pending[command] = sleep
        sleep.source = source = source_of(sys._getframe(2))
        if self._is_new(Issued(Kind.TIMER_SET, command, None, None, source)):
            sleep.position = self._log.record(Kind.TIMER_SET, command, due=sleep.due, source=source).position
            self._journal.batch.sleeping.append(sleep)
        return sleep

    def call_cancelled(self, call: ActivityCall) -> None:
        if self._is_given_up(Kind.ACTIVITY_CANCELLED, call.command):
            self._log.record(Kind.ACTIVITY_CANCELLED, call.command)
            self._journal.batch.ended.append(call)
            if call.heartbeat is not None:
                self._journal.batch.silenced.append(call)

    def child_cancelled(self, call: ChildCall) -> None:
        if self._is_given_up(Kind.CHILD_CANCELLED, call.command):
            self._log.record(Kind.CHILD_CANCELLED, call.command)
            self._journal.consequences.append(Unwanted(call))

    def sleep_cancelled(self, sleep: Sleep) -> None:
        if self._is_given_up(Kind.TIMER_CANCELLED, sleep.command):
            self._log.record(Kind.TIMER_CANCELLED, sleep.command)
            self._journal.batch.woken.append(sleep)

    def approval_withdrawn(self, call: ApprovalCall) -> None:
        if self._is_given_up(Kind.APPROVAL_WITHDRAWN, call.command):
            self._log.record(Kind.APPROVAL_WITHDRAWN, call.command, name=call.approval.name, key=call.digest)
            self._execution.ask_no_more(call)
            refusal = AlreadyDecided(f"the workflow has just stopped waiting for the approval {call.approval.name!r}")
            self._execution.tell_deciders(call.digest, refusal)

    def end_update(self, command: int, run: UpdateRun, key: str, outcome: Outcome) -> None:
        """The code has answered an update. In a replay what it answered then is what counts."""
        recorded = self._log.upcoming()
        if self._is_new(Issued(Kind(outcome.kind), command, None, None, None)):
            self._log.record(Kind(outcome.kind), command, payload=outcome.payload, key=key)
        elif recorded is not None:
            outcome = Outcome(recorded.kind, recorded.payload or b"null")
        run.outcome = outcome
        self._journal.batch.answers += [(waiting, outcome) for waiting in run.waiting]
        run.waiting.clear()

    # How.

    def _next_command(self) -> int:
        if self._execution.loop.disposed:
            raise GeneratorExit  # a `finally` of code that is let go of: it asks for nothing any more
        if self._reading:
            self.refuse_while_reading()
        log = self._log
        log.commands = command = log.commands + 1
        return command

    def refuse_while_reading(self) -> None:
        if self._reading:
            raise NotInWorkflow(
                "the answer to a query and the check of an update must only look: nothing of an activity, a timer, "
                "chance or a patch can be asked for there"
            )

    def _is_given_up(self, kind: Kind, command: int) -> bool:
        """Whether it is news that the code waits for this no longer."""
        if self._execution.pending.pop(command, None) is None or self._execution.loop.is_closed():
            return False
        return self._is_new(Issued(kind, command, None, None, None))

    def _is_new(self, issued: Issued) -> bool:
        """Whether the log does not hold this yet. What differs from the log blocks the execution."""
        if self._execution.blocked is not None:
            return False
        recorded = self._log.upcoming()
        if recorded is None:
            return True
        if issued.repeats(recorded):
            self._log.repeated()
        else:
            self._execution.goes_another_way(recorded, issued)
        return False
