"""What came of one attempt of an activity, and is there another one after a failure? Pure."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import msgspec

from dormouse.engine.calls import ActivityCall
from dormouse.engine.clock import SECOND
from dormouse.engine.options import ActivityOptions
from dormouse.engine.payload import Failure, failure_of
from dormouse.engine.retry import seconds_until_retry


class Succeeded(msgspec.Struct, frozen=True):
    payload: bytes
    value: Any


class Raised(msgspec.Struct, frozen=True):
    failure: Failure
    retry_seconds: float | None


Outcome = Succeeded | Raised
Ended = Sequence[tuple[ActivityCall, Outcome | None, int]]
"""Calls of which an attempt has ended; how, or None when nobody wants to know; and in how many nanoseconds."""
Run = Callable[[ActivityCall, tuple[Any, ...], dict[str, Any]], Coroutine[Any, Any, Any]]
"""Runs the function of one attempt, with its arguments."""
InTransaction = Callable[[Callable[[sqlite3.Connection], Any]], Any]
"""Lets a function use the connection of the transaction that is open."""
Around = Callable[[Run], Run]
Before = Callable[[], Awaitable[None] | None]


def outcome_of(call: ActivityCall, error: BaseException, chance: float, now: int, *, final: bool) -> Raised:
    """A failed attempt, with the seconds until the next one, if there is one.

    Args:
        call: of which this was an attempt.
        error: that it raised.
        chance: for the jitter, from 0 to 1.
        now: in microseconds.
        final: whether another attempt could not end in another way.
    """
    wait = None if final else seconds_until_retry(call.activity.options.retry, call.attempt, error, chance)
    failure = failure_of(error)
    if wait is not None and _is_too_late(call, now, wait):
        return Raised(_out_of_time(call.activity.options, failure), None)
    return Raised(failure, wait)


def _is_too_late(call: ActivityCall, now: int, wait: float) -> bool:
    """Whether no time is left for another attempt."""
    whole = call.activity.options.schedule_to_close_seconds
    return whole is not None and now + wait * SECOND >= call.scheduled_at + whole * SECOND


def _out_of_time(options: ActivityOptions, last: Failure) -> Failure:
    """No attempt failed for good; there is no time for another one."""
    limit = f"schedule_to_close_seconds={options.schedule_to_close_seconds:g}"
    message = f"{limit} leaves no time for another attempt; the last one failed: {last.type}: {last.message}"
    return Failure("TimeoutError", message, last.traceback, last.source)
