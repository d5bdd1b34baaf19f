"""What does one workflow's code ask for, and what is it told? One execution: its loop, its log, what it waits for.

It touches nothing outside: what happens is handed to it, and what follows it writes into the journal's batch.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from dormouse.engine.calls import ActivityCall, ApprovalCall, ChildCall, Pending, Sleep
from dormouse.engine.commands import Commands
from dormouse.engine.decision import Verdict
from dormouse.engine.definitions import Workflow
from dormouse.engine.ending import STATUS_AFTER, ContinueAsNew, End, Status, begins_anew, end_of, terminated
from dormouse.engine.journal import Ends, Event, Journal, Kind, Orphaned
from dormouse.engine.left_behind import tell_of_tasks
from dormouse.engine.log import Log
from dormouse.engine.loop import Interrupted, Restless, WorkflowLoop
from dormouse.engine.mailbox import Mailbox, Outcome, UpdateRun
from dormouse.engine.messages import Update
from dormouse.engine.mismatch import (
    Blocked,
    Issued,
    blocked_by_exception,
    blocked_by_forgotten_await,
    blocked_by_itself,
    blocked_by_mismatch,
)
from dormouse.engine.origin import Origin
from dormouse.engine.payload import Failure, encode, failure_of
from dormouse.engine.suggestion import suggest
from dormouse.errors import DormouseError, NotInWorkflow

_NOBODY = Origin()
_COMPLETED = Kind.ACTIVITY_COMPLETED.value  # recorded in every step, and an enum is slow to find its members
_HANDLED = (DormouseError, asyncio.CancelledError, TimeoutError)
"""What workflows handle every day."""
_ANEW_IN_ANSWER = (
    "continue_as_new is for the workflow's own function, not for an answer to an update; "
    "leave it a note in a variable, or an asyncio.Event"
)


class Execution:
    """One run of a workflow."""

    def __init__(
        self,
        journal: Journal,
        key: int,
        execution_id: str,
        workflow: Workflow[..., Any],
        seed: bytes,
        origin: Origin = _NOBODY,
    ) -> None:
        self.key = key
        self.id = execution_id
        self.workflow = workflow
        self.seed = seed
        self.origin = origin
        self.status = Status.OPEN
        self.blocked: Blocked | None = None
        self.failure: Failure | None = None
        self.started_at = 0
        self.closed_position: int | None = None
        self.log = Log(journal, key)
        self.commands = Commands(self, self.log, journal)
        self.loop = WorkflowLoop(self.commands, self.key)  # type: ignore[abstract] # it leaves out what needs the outside
        self.pending: dict[int, Pending] = {}
        self.mailbox = Mailbox()
        self.main: asyncio.Task[Any] | None = None
        self.cancel_reason: str | None = None
        self._journal = journal
        self.unheard: list[Event] = []
        """What has happened, and the code has not heard of yet: it does not count, or nobody is there to hear it."""

    @property
    def moment(self) -> int:
        return self.log.moment

    @property
    def over(self) -> bool:
        """Whether its code has run to an end, whatever is written of it."""
        return self.main is not None and self.main.done()

    @property
    def is_asked_to_cancel(self) -> bool:
        return self.cancel_reason is not None or self._has_unheard(Kind.CANCEL_REQUESTED)

    @property
    def has_unheard_update(self) -> bool:
        return self._has_unheard(Kind.UPDATE_ACCEPTED)

    # What happens to the execution: it is recorded, and `delivery` tells the code once that counts.

    def start(self, payload: bytes | None, at: int) -> None:
        """Begin its first run."""
        self.started_at = at
        self._journal.batch.opened.append(self)
        self._will_hear(
            self.log.begin(Kind.EXECUTION_STARTED, at, position=self.key, name=self.workflow.name, payload=payload)
        )

    def completed(self, call: ActivityCall, payload: bytes, value: Any, at: int) -> None:
        """An activity has a result."""
        call.value = value
        if call.due is not None or call.heartbeat is not None:
            self._tidy(call)
        self._will_hear(self.log.record(_COMPLETED, call.command, payload, at))

    def failed(self, call: ActivityCall, failure: Failure, at: int) -> None:
        """An activity failed for good."""
        self._tidy(call)
        payload = encode(failure)
        self._will_hear(
            self.log.record(Kind.ACTIVITY_FAILED, call.command, attempt=call.attempt, payload=payload, at=at)
        )

    def attempt_failed(self, call: ActivityCall, failure: Failure, at: int, due: int) -> None:
        """An attempt failed and another one follows. The workflow does not notice."""
        event = self.log.record(
            Kind.ATTEMPT_FAILED, call.command, attempt=call.attempt, due=due, payload=encode(failure), at=at
        )
        call.position = event.position
        call.attempt += 1
        call.due = due
        call.last_failure = failure
        self._journal.batch.delayed.append(call)
        if call.heartbeat is not None:
            self._journal.batch.beaten.append(call)
        self._will_hear(event)

    def woken(self, sleep: Sleep, at: int) -> None:
        """A timer's moment has come."""
        self._journal.batch.woken.append(sleep)
        self._will_hear(self.log.record(Kind.TIMER_FIRED, sleep.command, at=at))

    def child_ended(self, command: int, end: End, at: int) -> None:
        """An execution that it called has ended."""
        kind = Kind.CHILD_COMPLETED if end.failure is None else Kind.CHILD_FAILED
        self._will_hear(self.log.record(kind, command, name=end.kind, payload=end.payload, at=at))

    def decided(self, call: ApprovalCall, verdict: Verdict, at: int) -> None:
        """Somebody has approved or rejected a request."""
        self._settle(call, Kind.APPROVAL_DECIDED, verdict.encode(), at)

    def expired(self, call: ApprovalCall, at: int) -> None:
        """Nobody has decided on a request in time."""
        self._settle(call, Kind.APPROVAL_EXPIRED, None, at)

    def _settle(self, call: ApprovalCall, kind: Kind, payload: bytes | None, at: int) -> None:
        name, key = call.approval.name, call.digest
        call.settled = self.log.record(kind, call.command, name=name, payload=payload, key=key, at=at)
        self.ask_no_more(call)
        self._will_hear(call.settled)

    def signalled(self, name: str, payload: bytes, key: str | None, at: int) -> None:
        """A signal has arrived."""
        if key is not None:
            self.mailbox.signals[key] = (name, payload)
        self._will_hear(self.log.record(Kind.SIGNAL_RECEIVED, name=name, payload=payload, key=key, at=at))

    def updated(self, name: str, payload: bytes, key: str, at: int) -> UpdateRun:
        """An update was accepted. Its answer gets its number when it begins."""
        run = self.mailbox.updates[key] = UpdateRun(name, payload)
        self._will_hear(self.log.record(Kind.UPDATE_ACCEPTED, name=name, payload=payload, key=key, at=at))
        return run

    def cancel(self, reason: str, at: int) -> None:
        """Somebody wants it to cancel itself."""
        self._will_hear(self.log.record(Kind.CANCEL_REQUESTED, payload=encode(reason), at=at))

    def terminate(self, reason: str, at: int) -> None:
        """Somebody ends it, whatever its code would say."""
        self.log.moment = max(self.log.moment, at)
        self.blocked = None
        self._close(terminated(reason))

    def query(self, name: str) -> bytes | None:
        """Ask the code; None when it does not answer this."""
        answer = self.mailbox.query_answers.get(name)
        if answer is None:
            return None
        return self.commands.only_reading(lambda: encode(answer()))

    def check_update(self, name: str, value: Any) -> bool:
        """Whether the code answers this update. What its check raises comes through."""
        answer = self.mailbox.update_answers.get(name)
        if answer is None:
            return False
        check = answer[1]
        if check is not None:
            self.commands.only_reading(lambda: check(value))
        return True

    # What its code does.

    def begin(self, payload: bytes | None, at: int) -> None:
        """Start the workflow's code. The start is in the log."""
        self.log.moment = at
        arguments = () if payload is None else (self.workflow.input.decode(payload),)
        coroutine = self.workflow.function(*arguments)
        self.main = self.loop.create_task(coroutine, name=self.id, context=contextvars.Context())
        self.go_on()

    def block(self, blocked: Blocked) -> None:
        """Stop here: the code cannot go on."""
        if self.blocked is None:
            self.blocked = blocked
            self.status = Status.BLOCKED
            self.unheard.clear()  # it will find them in its log
            if not self.log.replaying:
                self._journal.batch.changed.append(self)

    def goes_another_way(self, recorded: Event, issued: Issued | None) -> None:
        """The code asks for something else than its log says, or for nothing more."""
        error = self._raised if issued is None else sys.exception()
        if error is not None and (issued is None or not isinstance(error, _HANDLED)):
            self.block(blocked_by_exception(recorded, issued, failure_of(error)))
            return
        suggestion = suggest(self.log.rest or [recorded], issued, self.workflow.function)
        self.block(blocked_by_mismatch(recorded, issued, suggestion))

    @property
    def _raised(self) -> Exception | None:
        """What ended its code."""
        main = self.main
        error = None if main is None or not main.done() or main.cancelled() else main.exception()
        return error if isinstance(error, Exception) else None

    def dispose(self) -> None:
        """Let go of the code; the execution goes on elsewhere, or it is over."""
        self.loop.dispose()
        self.pending.clear()
        self.commands.not_awaited.close()

    def go_on(self) -> None:
        """Let the code run as far as it can."""
        try:
            self.loop.drain()
        except (Restless, Interrupted) as error:
            self.block(blocked_by_itself(str(error)))
        main = self.main
        if main is not None and main.done() and not self.log.replaying:
            self.close_if_done()

    def close_if_done(self) -> None:
        main = self.main
        if main is None or not main.done() or self.blocked is not None:
            return
        error = None if main.cancelled() else main.exception()
        anew = begins_anew(error)
        if anew is not None:
            self._begin_anew(anew.payload)
            return
        forgotten = [] if main.cancelled() or error is not None else self.commands.not_awaited.forgotten()
        if forgotten:
            self.block(blocked_by_forgotten_await(forgotten))
            return
        self.main = None
        if not main.cancelled() and error is None:
            tell_of_tasks(self.id, self.loop.unfinished())
        self._close(end_of(main, self.cancel_reason))

    # How.

    def answer_update(self, command: int, name: str, payload: bytes, key: str) -> bool:
        """Let the code answer an update; False when it has no answer to it."""
        answer = self.mailbox.update_answers.get(name)
        update = self.workflow.message(Update, name)
        if answer is None or update is None:
            return False
        run = self.mailbox.updates.setdefault(key, UpdateRun(name, payload))
        value = update.value.decode(payload)
        self.loop.create_task(self._answer(command, run, key, answer[0], value), context=contextvars.Context())
        return True

    async def _answer(self, command: int, run: UpdateRun, key: str, function: Callable[[Any], Any], value: Any) -> None:
        try:
            result = function(value)
            if isinstance(result, Coroutine):
                result = await result
            outcome = Outcome(Kind.UPDATE_COMPLETED, encode(result))
        except ContinueAsNew:
            outcome = _refused(NotInWorkflow(_ANEW_IN_ANSWER))
        except BaseException as error:
            if self.loop.is_closed() or isinstance(error, KeyboardInterrupt):
                raise
            outcome = _refused(error)  # it is the sender who hears of it
        self.commands.end_update(command, run, key, outcome)

    def ask_no_more(self, call: ApprovalCall) -> None:
        """Nobody can decide on this any more."""
        self._journal.batch.decided.append(call)
        if call.due is not None:
            self._journal.batch.woken.append(call)

    def tell_deciders(self, digest: str, answer: DormouseError | None) -> None:
        """Whether what they have decided was heard."""
        self._journal.batch.answers += [(one, answer) for one in self.mailbox.deciders.pop(digest, ())]

    def _will_hear(self, event: Event) -> None:
        if self.blocked is None:
            self.unheard.append(event)
            self._journal.batch.heard.append((self, event))

    def _has_unheard(self, kind: Kind) -> bool:
        return any(event.kind == kind for event in self.unheard)

    def _tidy(self, call: ActivityCall) -> None:
        """No further attempt follows."""
        if call.due is not None:
            self._journal.batch.ended.append(call)
        if call.heartbeat is not None:
            self._journal.batch.silenced.append(call)

    def _let_go_of_pending(self) -> None:
        """Nobody waits any more for what it has asked for."""
        for one in self.pending.values():
            if isinstance(one, ChildCall):
                self._journal.consequences.append(Orphaned(one))
            elif isinstance(one, Sleep):
                self._journal.batch.woken.append(one)
            elif isinstance(one, ApprovalCall):
                self.ask_no_more(one)
            else:
                self._journal.batch.ended.append(one)
                if one.heartbeat is not None:
                    self._journal.batch.silenced.append(one)
        self.pending.clear()

    def _close(self, end: End) -> None:
        self.failure = end.failure
        self.status = STATUS_AFTER[end.kind]
        self.closed_position = self.log.record(end.kind, end.command, payload=end.payload).position
        self.unheard.clear()
        self._journal.batch.closed.append(self)
        self._let_go_of_pending()
        if self.origin.parent is not None:
            self._journal.consequences.append(Ends(self, end))

    def _begin_anew(self, payload: bytes | None) -> None:
        """End this run and begin the log of the next, which takes over the messages that nobody has received."""
        unheard, self.unheard = self.unheard, []
        signals = self.mailbox.left()
        signals += [(one.name or "", one.payload or b"null") for one in unheard if one.kind == Kind.SIGNAL_RECEIVED]
        self._let_go_of_pending()
        self.dispose()
        self.mailbox.close(f"execution {self.id!r} continued as new")
        self.main, self.cancel_reason = None, None
        self.commands = Commands(self, self.log, self._journal)
        self.loop = WorkflowLoop(self.commands, self.key)  # type: ignore[abstract] # as above
        self._journal.batch.ended_runs.append((self.key, self.log.last_position, self.moment))
        position = self._journal.reserve()
        self._will_hear(
            self.log.begin(
                Kind.EXECUTION_CONTINUED, self.moment, position=position, name=self.workflow.name, payload=payload
            )
        )
        for name, waiting in signals:
            self._will_hear(self.log.record(Kind.SIGNAL_RECEIVED, name=name, payload=waiting))
        for one in unheard:
            if one.kind == Kind.CANCEL_REQUESTED:
                self._will_hear(self.log.record(Kind.CANCEL_REQUESTED, payload=one.payload))


def _refused(error: BaseException) -> Outcome:
    return Outcome(Kind.UPDATE_FAILED, encode(failure_of(error)))
