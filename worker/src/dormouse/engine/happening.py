"""What follows when an attempt has ended, or a moment has come? It is recorded; nothing is done about it yet."""

from __future__ import annotations

from dormouse.engine.calls import ApprovalCall, Pending, Sleep
from dormouse.engine.clock import SECOND
from dormouse.engine.outcomes import Ended, Succeeded


def attempts_ended(ended: Ended, at: int) -> None:
    """Attempts of calls have ended."""
    for call, outcome, _ in ended:
        if outcome is None or not goes_on(call):
            continue
        execution = call.execution
        if isinstance(outcome, Succeeded):
            execution.completed(call, outcome.payload, outcome.value, at)
        elif outcome.retry_seconds is None:
            execution.failed(call, outcome.failure, at)
        else:
            execution.attempt_failed(call, outcome.failure, at, at + round(outcome.retry_seconds * SECOND))


def timer_rang(sleep: Sleep, at: int) -> None:
    """The moment of a timer has come."""
    if goes_on(sleep):
        sleep.execution.woken(sleep, max(at, sleep.due))


def approval_expired(call: ApprovalCall, at: int) -> None:
    """The moment has come by which it should have been decided."""
    if goes_on(call) and call.settled is None:
        call.execution.expired(call, max(at, call.due or 0))


def goes_on(waiting: Pending) -> bool:
    """Whether the execution still waits for it, and can hear of it."""
    execution = waiting.execution
    return execution.pending.get(waiting.command) is waiting and execution.blocked is None
