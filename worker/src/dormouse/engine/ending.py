"""How did a workflow's code end, and what is written of it?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from dormouse.engine.journal import Kind
from dormouse.engine.payload import Failure, encode, failure_of
from dormouse.errors import ActivityError, ExecutionCancelled, ExecutionFailed, ExecutionTerminated, PayloadTooLarge


class Status(StrEnum):
    """What the database says of an execution."""

    OPEN = "Open"
    BLOCKED = "Blocked"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    TERMINATED = "Terminated"

    @property
    def closed(self) -> bool:
        return self not in (Status.OPEN, Status.BLOCKED)


STATUS_AFTER = {
    Kind.EXECUTION_COMPLETED: Status.COMPLETED,
    Kind.EXECUTION_FAILED: Status.FAILED,
    Kind.EXECUTION_CANCELLED: Status.CANCELLED,
    Kind.EXECUTION_TERMINATED: Status.TERMINATED,
}


_OF_CALLS = (ActivityError, ExecutionFailed)


class ContinueAsNew(BaseException):
    """The workflow wants to begin anew. It passes through every `except Exception`."""

    def __init__(self, payload: bytes | None) -> None:
        super().__init__("the workflow continues as new")
        self.payload = payload


def begins_anew(error: BaseException | None) -> ContinueAsNew | None:
    """Whether code that raised this wants to begin anew, also when it said so in a task of a TaskGroup."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, ContinueAsNew) else None


class End(NamedTuple):
    """The event that closes an execution; `command` is the call whose failure ended it."""

    kind: Kind
    payload: bytes
    failure: Failure | None = None
    command: int | None = None


def end_of(main: asyncio.Task[Any], cancel_reason: str | None) -> End:
    """Look at what a workflow's function returned or raised; the reason is None when nobody has asked it to end."""
    if main.cancelled():
        if cancel_reason is not None:
            failure = Failure("CancelledError", f"it was cancelled: {cancel_reason}".removesuffix(": "))
            return End(Kind.EXECUTION_CANCELLED, encode(failure), failure)
        return _failed(asyncio.CancelledError("the workflow cancelled itself"))
    error = main.exception()
    if error is not None:
        return _failed(error)
    try:
        return End(Kind.EXECUTION_COMPLETED, encode(main.result()))
    except PayloadTooLarge as too_large:
        return _failed(too_large)
    except TypeError as unwritable:
        return _failed(TypeError(f"the workflow's result does not fit: {unwritable}"))
    except Exception as unencodable:  # noqa: BLE001 - properties of the user's types run here
        return _failed(unencodable)


def terminated(reason: str) -> End:
    failure = Failure("Terminated", reason)
    return End(Kind.EXECUTION_TERMINATED, encode(failure), failure)


def error_of(execution_id: str, kind: str, failure: Failure, command: int | None = None) -> ExecutionFailed:
    """The exception for an execution that did not complete."""
    which = {
        Kind.EXECUTION_CANCELLED: ExecutionCancelled,
        Kind.EXECUTION_TERMINATED: ExecutionTerminated,
    }.get(Kind(kind), ExecutionFailed)
    return which(execution_id, failure.type, failure.message, failure.source, command)


def _failed(error: BaseException) -> End:
    failure = failure_of(error)
    command = next(_commands_behind(error), None)
    return End(Kind.EXECUTION_FAILED, encode(failure), failure, command)


def _commands_behind(error: BaseException) -> Iterator[int]:
    """The calls whose failures this exception comes from, the nearest first."""
    return (one.command for one in _behind(error) if isinstance(one, _OF_CALLS) and one.command is not None)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it comes from, once each: causes may go round in a circle, and there may be many."""
    seen = set[int]()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left.append(None if one.__suppress_context__ else one.__context__)
        left.append(one.__cause__)
        if isinstance(one, BaseExceptionGroup):
            left += reversed(one.exceptions)
