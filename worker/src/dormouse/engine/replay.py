"""How does an execution get back to where it was? Its code runs again over its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from dormouse.engine.calls import ActivityCall, ChildCall, Sleep
from dormouse.engine.execution import Execution, activity_error, settle_child
from dormouse.engine.journal import COMMANDS, Batch, Event, Journal, Kind
from dormouse.engine.log import what_counts
from dormouse.engine.mismatch import blocked_by_code, blocked_by_mismatch, blocked_by_unanswered_update
from dormouse.engine.payload import decode_failure


def replay(execution: Execution, journal: Journal, recorded: Sequence[Event]) -> None:
    """Run the code again over its log. Afterwards `pending` holds what is still to happen, or it is blocked."""
    log = execution.log
    events = what_counts(recorded)
    log.expect(events)
    log.last_position = recorded[-1].position
    try:
        execution.begin(events[0].payload, events[0].at)
        for event in events[1:]:
            if event.kind not in COMMANDS and execution.blocked is None:
                _repeat(execution, event)
    except (msgspec.ValidationError, TypeError) as error:
        execution.block(blocked_by_code(f"the code does not fit the values of the log: {error}"))
    if execution.blocked is None and (missing := log.upcoming) is not None:
        execution.block(blocked_by_mismatch(missing, None))
    log.replaying = False
    execution.close_if_done()
    if execution.blocked is None:
        known = max((event.command or 0 for event in events), default=0)
        journal.batch.resumed += [one for one in execution.pending.values() if one.command <= known]


def recover(
    execution: Execution,
    journal: Journal,
    recorded: Sequence[Event],
    heartbeats: Mapping[tuple[int, int], bytes],
) -> Batch:
    """Replay it and give what is left to do: nothing when it is blocked, since what the wrong code asks for must not
    get into the log.
    """
    outer, journal.batch = journal.batch, Batch()
    earlier = len(journal.consequences)
    try:
        replay(execution, journal, recorded)
    finally:
        left, journal.batch = journal.batch, outer
    if execution.blocked is not None:
        while len(journal.consequences) > earlier:
            journal.consequences.pop()
        execution.log.last_position = recorded[-1].position
        execution.dispose()
        return Batch()
    for call in execution.pending.values() if heartbeats else ():
        if isinstance(call, ActivityCall):
            call.heartbeat = heartbeats.get((execution.key, call.command))
    return left


def _repeat(execution: Execution, event: Event) -> None:
    """Deliver one recorded event again."""
    log = execution.log
    log.length += 1
    if event.kind == Kind.EXECUTION_RETRIED:
        log.commands = event.command or log.commands  # numbers that were given once are not given again
        log.moment = max(log.moment, event.at)
        return
    if execution.main is None or execution.main.done():
        execution.block(blocked_by_mismatch(log.upcoming or event, None))
    elif event.kind == Kind.SIGNAL_RECEIVED:
        _repeat_signal(execution, event)
    elif event.kind == Kind.UPDATE_ACCEPTED:
        _repeat_update(execution, event)
    elif event.kind == Kind.CANCEL_REQUESTED:
        execution.cancel_requested = True
        log.moment = max(log.moment, event.at)
        execution.main.cancel()
        execution.go_on()
    elif (event.command or 0) > log.commands:
        execution.block(blocked_by_mismatch(log.upcoming or event, None))
    else:
        _repeat_end(execution, event)


def _repeat_signal(execution: Execution, event: Event) -> None:
    name, payload = event.name or "", event.payload or b"null"
    execution.log.moment = max(execution.log.moment, event.at)
    if event.key is not None:
        execution.mailbox.signals[event.key] = (name, payload)
    execution.mailbox.put(name, payload)
    execution.go_on()


def _repeat_update(execution: Execution, event: Event) -> None:
    name = event.name or ""
    execution.log.moment = max(execution.log.moment, event.at)
    execution.log.commands = command = event.command or 0
    if execution.answer_update(command, name, event.payload or b"null", event.key or "") is None:
        execution.block(blocked_by_unanswered_update(event))
    execution.go_on()


def _repeat_end(execution: Execution, event: Event) -> None:
    """Of a call, a timer or a child."""
    command = event.command or 0
    waiting = execution.pending.get(command)
    if waiting is None:
        return  # it had been cancelled before its end was delivered
    payload = event.payload or b"null"
    if event.kind == Kind.ATTEMPT_FAILED and isinstance(waiting, ActivityCall):
        waiting.attempt = (event.attempt or 0) + 1
        waiting.due = event.due
        waiting.last_failure = decode_failure(payload)
        return
    execution.log.moment = max(execution.log.moment, event.at)
    del execution.pending[command]
    if isinstance(waiting, Sleep):
        execution.loop.ring(waiting.callback)
    elif isinstance(waiting, ChildCall):
        settle_child(waiting, event.name or Kind.EXECUTION_FAILED, payload)
    elif event.kind == Kind.ACTIVITY_COMPLETED:
        waiting.set_result(waiting.activity.result.decode(payload))
    else:
        waiting.attempt = event.attempt or waiting.attempt
        waiting.set_exception(activity_error(waiting, decode_failure(payload)))
    execution.go_on()
