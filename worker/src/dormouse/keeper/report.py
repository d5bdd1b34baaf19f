"""What does a running pod tell the operator? One report: a hint for the status, never evidence for an action.

The keeper posts it as JSON to `/v1/reports` of the operator (docs/design.md, "Reports"). Unknown fields are ignored,
so that operator and worker need not have the same version.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

LARGEST_REPORT_BYTES = 64 * 1024
LONGEST_TEXT = 2000
MOST_BLOCKED = 3
"""So many blocked executions are told with their reasons; the rest are counted."""

Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Name = Annotated[str, Meta(min_length=1, max_length=253)]
Count = Annotated[int, Meta(ge=0)]
ConditionReason = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_]{0,63}$")]


class ExecutionCounts(Struct, frozen=True):
    """How many executions are open, and how many of these do what."""

    open: Count = 0
    running: Count = 0
    sleeping: Count = 0
    waiting: Count = 0
    retrying: Count = 0
    blocked: Count = 0


class BlockedExecution(Struct, frozen=True):
    """One that cannot go on with the present code; the message has what was expected, what came, and both lines."""

    execution: Name
    reason: ConditionReason
    message: Text


class DrillResult(Struct, frozen=True):
    """What came of the last scheduled drill; the message is for people."""

    at: Annotated[str, Meta(min_length=1, max_length=64)]
    position: Annotated[str, Meta(max_length=64)]
    ok: bool
    message: Text


class RuntimeStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the runtime says of its executions."""

    executions: ExecutionCounts
    blocked: Annotated[tuple[BlockedExecution, ...], Meta(max_length=MOST_BLOCKED)] = ()
    waiting_for: Text = ""
    next_wake_at: Annotated[str, Meta(max_length=64)] = ""
    drill: DrillResult | None = None


class Replication(Struct, frozen=True, omit_defaults=True):
    """Whether what is committed gets into the store; if not, the message says since when and why."""

    state: Literal["Fresh", "StoreUnreachable", "LagOverBound"] = "Fresh"
    message: Text = ""


class RecoveryWindow(Struct, frozen=True, omit_defaults=True):
    """Between which moments every one can be restored; up to now, if nothing was written since the second."""

    begins: Annotated[str, Meta(max_length=64)] = field(name="from")
    ends: Annotated[str, Meta(max_length=64)] = field(name="to")


class Report(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`runtime` is missing until the runtime has said something."""

    name: Name
    namespace: Name
    workflow_uid: Name = field(name="workflowUID")
    pod_uid: Name = field(name="podUID")
    epoch: Annotated[int, Meta(ge=1)]
    position: Annotated[str, Meta(max_length=64)] = ""
    replication: Replication = Replication()
    runtime: RuntimeStatus | None = None
    recovery_window: RecoveryWindow | None = None


def window_of(begins: datetime | None, overdue_seconds: float, now: datetime) -> RecoveryWindow | None:
    """What was committed before the barrier that is overdue is in the store."""
    ends = now - timedelta(seconds=overdue_seconds)
    return None if begins is None else RecoveryWindow(_moment(begins), _moment(max(begins, ends)))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replication_of(trouble: str, overdue_seconds: float, bound_seconds: float | None, now: datetime) -> Replication:
    """`bound_seconds` is how far the store may lag behind before commits wait for it; None when each commit waits."""
    if not trouble:
        return Replication()
    since = ""
    if overdue_seconds > 0:
        began = now.astimezone(UTC) - timedelta(seconds=overdue_seconds)
        since = f" (since {began.isoformat(timespec='seconds').replace('+00:00', 'Z')})"
    if bound_seconds is not None and overdue_seconds > bound_seconds:
        told = f"the store lags more than maxLagSeconds, {bound_seconds:g}, behind, and commits wait: {trouble}{since}"
        return Replication("LagOverBound", told[:LONGEST_TEXT])
    return Replication("StoreUnreachable", f"{trouble}{since}"[:LONGEST_TEXT])
