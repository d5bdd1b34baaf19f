"""Where am I? What a workflow and an activity may ask about themselves while they run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

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
    """

    execution_id: str
    activity: str
    attempt: int
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """The execution that is running.

    Attributes:
        execution_id: its id.
        workflow: its workflow's name.
        replaying: True while it only repeats what its log holds; do not print then.
    """

    execution_id: str
    workflow: str
    replaying: bool


activity_context: contextvars.ContextVar[ActivityInfo] = contextvars.ContextVar("dormouse_activity")


def activity_info() -> ActivityInfo:
    """Which attempt of which call this is."""
    try:
        return activity_context.get()
    except LookupError:
        raise DormouseError("activity_info() is only known inside a running activity") from None


@contextmanager
def running_directly(activity: str) -> Iterator[None]:
    """An activity that a test, or another activity, calls without an engine."""
    from secrets import token_hex

    token = activity_context.set(ActivityInfo("direct", activity, 1, f"direct/{activity}/{token_hex(8)}"))
    try:
        yield
    finally:
        activity_context.reset(token)


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
