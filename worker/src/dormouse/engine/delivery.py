"""What does a workflow's code hear of an event of its log? The same when it has happened just now as in a replay."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from dormouse.engine.calls import ActivityCall, ApprovalCall, ChildCall, Sleep
from dormouse.engine.decision import decision_of
from dormouse.engine.ending import error_of
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Event, Kind
from dormouse.engine.loop import among_workflows
from dormouse.engine.mismatch import blocked_by_code, blocked_by_unanswered_update, blocked_by_value
from dormouse.engine.payload import decode_failure, text_of
from dormouse.errors import ActivityError, CannotDecode, ExecutionFailed

_COMPLETED = Kind.ACTIVITY_COMPLETED.value  # looked at in every step, and an enum is slow to find its members
_UNFIT = (msgspec.ValidationError, TypeError, ValueError)


def hear(heard: Iterable[tuple[Execution, Event]]) -> None:
    """These events count now: tell the code of each, if there still is one that waits for it."""
    with among_workflows():
        for execution, event in heard:
            unheard = execution.unheard
            if unheard and unheard[0] is event:
                del unheard[0]
                deliver(execution, event)


def deliver(execution: Execution, event: Event) -> None:
    """Tell the code of one event, after all those before it, and let it go on; among_workflows."""
    execution.log.length += 1
    try:
        _TOLD_HOW.get(event.kind, _tell_end)(execution, event)
    except (CannotDecode, sqlite3.Error):
        raise  # of the file, not of the code
    except Exception as error:  # noqa: BLE001 - validators of the user's types run here
        execution.block(blocked_by_code(f"the code does not fit the values of the log: {text_of(error)}"))


def _begin(execution: Execution, event: Event) -> None:
    try:
        execution.begin(event.payload, event.at)
    except _UNFIT as error:
        what = f"the input of {execution.workflow.name} ({event.kind})"
        execution.block(blocked_by_value(what, execution.workflow.input_type, error))


def _tell_retried(execution: Execution, event: Event) -> None:
    log = execution.log
    log.commands = max(log.commands, event.command or 0)  # numbers that were given once are not given again
    log.moment = max(log.moment, event.at)


def _tell_signal(execution: Execution, event: Event) -> None:
    name, payload = event.name or "", event.payload or b"null"
    execution.log.moment = max(execution.log.moment, event.at)
    if event.key is not None:
        execution.mailbox.signals[event.key] = (name, payload)
    execution.mailbox.put(name, payload)
    execution.go_on()


def _tell_update(execution: Execution, event: Event) -> None:
    log = execution.log
    log.moment = max(log.moment, event.at)
    if event.command is None:
        log.commands = command = log.commands + 1
    else:
        command = event.command  # earlier versions numbered it when it was accepted
        log.commands = max(log.commands, command)
    if not execution.answer_update(command, event.name or "", event.payload or b"null", event.key or ""):
        execution.block(blocked_by_unanswered_update(event))
    execution.go_on()


def _tell_cancel(execution: Execution, event: Event) -> None:
    execution.log.moment = max(execution.log.moment, event.at)
    if execution.main is not None and execution.cancel_reason is None:
        execution.cancel_reason = msgspec.json.decode(event.payload or b'""', type=str)
        execution.main.cancel()
    execution.go_on()


def _tell_attempt_failed(execution: Execution, event: Event) -> None:
    """The code hears nothing of it."""
    waiting = execution.pending.get(event.command or 0)
    if isinstance(waiting, ActivityCall):
        waiting.attempt = (event.attempt or 0) + 1
        waiting.due = event.due
        waiting.last_failure = decode_failure(event.payload or b"null")


def _tell_end(execution: Execution, event: Event) -> None:
    """Of a call, a timer, a child or a request for approval."""
    log, command = execution.log, event.command or 0
    if command > log.commands:
        execution.goes_another_way(log.upcoming() or event, None)
        return
    waiting = execution.pending.pop(command, None)
    if waiting is None:
        return  # it had been cancelled before its end was delivered
    at = event.at
    if at > log.moment:
        log.moment = at
    if isinstance(waiting, ActivityCall):
        del execution.loop.asked[waiting.future]
        if waiting.value is not msgspec.UNSET:
            waiting.future.set_result(waiting.value)
        else:
            _settle_activity(waiting, event)
    elif isinstance(waiting, Sleep):
        execution.loop.ring(waiting.callback)
    elif isinstance(waiting, ApprovalCall):
        waiting.set_result(decision_of(event))
        execution.tell_deciders(waiting.digest, None)
    else:
        _settle_child(waiting, event.name or Kind.EXECUTION_FAILED, event.payload or b"null")
    execution.go_on()


def _settle_activity(call: ActivityCall, event: Event) -> None:
    if event.kind != _COMPLETED:
        call.attempt = event.attempt or call.attempt
        failure = decode_failure(event.payload or b"null")
        error = ActivityError(call.activity.name, failure.type, failure.message, call.attempt, call.command)
        call.future.set_exception(error)
    else:
        try:
            call.future.set_result(call.activity.result.decode(event.payload or b"null"))
        except _UNFIT as error:
            what = f"the result of {call.activity.name} ({event.kind} as number {call.command})"
            call.execution.block(blocked_by_value(what, call.activity.result.type, error))


def _settle_child(child: ChildCall, ending: str, payload: bytes) -> None:
    if ending == Kind.EXECUTION_COMPLETED:
        try:
            child.set_result(child.workflow.result.decode(payload))
        except msgspec.ValidationError as error:
            child.set_exception(ExecutionFailed(child.child_id, "TypeError", f"its result does not fit: {error}"))
    else:
        child.set_exception(error_of(child.child_id, ending, decode_failure(payload), child.command))


_TOLD_HOW: dict[str, Callable[[Execution, Event], None]] = {
    Kind.EXECUTION_STARTED: _begin,
    Kind.EXECUTION_CONTINUED: _begin,
    Kind.EXECUTION_RETRIED: _tell_retried,
    Kind.SIGNAL_RECEIVED: _tell_signal,
    Kind.UPDATE_ACCEPTED: _tell_update,
    Kind.CANCEL_REQUESTED: _tell_cancel,
    Kind.ATTEMPT_FAILED: _tell_attempt_failed,
}
