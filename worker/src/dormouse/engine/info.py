"""Where am I? What a workflow and an activity may ask about themselves while they run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from dormouse.engine.clock import to_datetime
from dormouse.engine.loop import WorkflowLoop
from dormouse.errors import DormouseError

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class ActivityInfo:
    """The attempt that is running.

    Attributes:
        execution_id: the execution that called the activity.
        activity: its name.
        attempt: 1 for the first, counted over all lives of the workflow.
        idempotency_key: the same for every attempt of this call, and for no other call anywhere.
        heartbeat_details: what an earlier attempt has last given to `heartbeat`, as plain JSON values.
    """

    execution_id: str
    activity: str
    attempt: int
    idempotency_key: str
    heartbeat_details: Any = None


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """The execution that is running.

    Attributes:
        execution_id: its id.
        workflow: its workflow's name.
        replaying: True while it only repeats what its log holds; do not print then.
        history_length: how many events its log has.
    """

    execution_id: str
    workflow: str
    replaying: bool
    history_length: int

    @property
    def should_continue_as_new(self) -> bool:
        """Whether the log has become so long that its replay takes noticeable time."""
        return self.history_length >= _LONG_HISTORY


class Whose(NamedTuple):
    """Whose code it is that runs: what the attributes of a log record are called that say it."""

    execution: str
    workflow: str | None
    activity: str | None = None
    attempt: int | None = None


_LONG_HISTORY = 10_000


class Attempt(Protocol):
    """What an activity's code can reach while it runs."""

    @property
    def info(self) -> ActivityInfo: ...

    @property
    def whose(self) -> Whose: ...

    def beat(self, details: Any) -> None: ...


attempt_context: contextvars.ContextVar[Attempt] = contextvars.ContextVar("dormouse_attempt")


def activity_info() -> ActivityInfo:
    """Which attempt of which call this is."""
    try:
        return attempt_context.get().info
    except LookupError:
        raise DormouseError("activity_info() is only known inside a running activity") from None


def heartbeat(details: Any = None) -> None:
    """Say that this attempt is alive, and keep `details` for the attempt that may have to go on from here.

    Raises:
        asyncio.CancelledError: when nobody waits for this attempt any more; an activity that is not async is told
            so here.
    """
    try:
        attempt = attempt_context.get()
    except LookupError:
        raise DormouseError("heartbeat() is only known inside a running activity") from None
    attempt.beat(details)


class _DirectAttempt:
    """Nobody listens to its heartbeats."""

    def __init__(self, info: ActivityInfo) -> None:
        self.info = info

    @property
    def whose(self) -> Whose:
        info = self.info
        return Whose(info.execution_id, None, info.activity, info.attempt)

    def beat(self, details: Any) -> None: ...


@contextmanager
def running_directly(activity: str) -> Iterator[None]:
    """An activity that a test, or another activity, calls without an engine."""
    from secrets import token_hex

    info = ActivityInfo("direct", activity, 1, f"direct/{activity}/{token_hex(8)}")
    token = attempt_context.set(_DirectAttempt(info))
    try:
        yield
    finally:
        attempt_context.reset(token)


def _workflow_loop() -> WorkflowLoop | None:
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, WorkflowLoop) else None


def workflow_info() -> WorkflowInfo:
    """Which execution this is."""
    loop = _workflow_loop()
    if loop is None:
        raise DormouseError("workflow_info() is only known inside a running workflow")
    info: WorkflowInfo = loop.host.info
    return info


def patched(name: str) -> bool:
    """Whether this execution runs with a change of the code that has this name.

    An execution that has got past this place before the change says False for ever, every other one True. When all
    that said False have ended, take the old way out of the code, and this call with it.
    """
    loop = _workflow_loop()
    if loop is None:
        raise DormouseError("patched() is only known inside a running workflow")
    return bool(loop.host.patched(name))


def continue_as_new(*input: Any) -> NoReturn:  # noqa: A002
    """Begin the workflow anew with this input and an empty log, under the same id.

    Signals that were not received go with it. What it has started and does not await is let go of.
    """
    loop = _workflow_loop()
    if loop is None:
        raise DormouseError("continue_as_new() can only be called inside a running workflow")
    loop.host.continue_as_new(input)
    raise AssertionError("unreachable")


def now() -> datetime:
    """The present moment in UTC; in a workflow the moment of its last event, the same in every replay."""
    loop = _workflow_loop()
    return datetime.now(UTC) if loop is None else to_datetime(loop.host.moment)


def random() -> float:
    """A number from 0 up to 1; in a workflow the same in every replay."""
    loop = _workflow_loop()
    if loop is None:
        from random import random

        return random()  # noqa: S311 - not for secrets
    return float(loop.host.chance.random())


def uuid4() -> UUID:
    """A random UUID; in a workflow the same in every replay."""
    import uuid

    loop = _workflow_loop()
    if loop is None:
        return uuid.uuid4()
    return uuid.UUID(bytes=loop.host.chance.randbytes(16), version=4)
