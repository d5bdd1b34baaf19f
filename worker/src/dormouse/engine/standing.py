"""What do the executions do, what does one wait for, and may this life rest? Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from dormouse.engine.calls import ActivityCall, ApprovalCall, ChildCall, Pending, Sleep
from dormouse.engine.execution import Execution
from dormouse.engine.payload import Failure
from dormouse.engine.registry import Dormant

Doing = Literal["running", "retrying", "sleeping", "waiting", "blocked"]


class Standing(msgspec.Struct, frozen=True, rename="camel"):
    """What `/status` says. Moments are microseconds since 1970."""

    open: int
    running: int
    sleeping: int
    waiting: int
    retrying: int
    blocked: int
    next_wake_at: int | None
    idle_since: int | None
    can_hibernate: bool


class Waiting(msgspec.Struct, frozen=True):
    """One thing that an open execution waits for."""

    kind: Literal["activity", "timer", "child", "signal", "approval", "resume"]
    name: str | None = None
    attempt: int | None = None
    last_failure: Failure | None = None
    due: int | None = None
    id: str | None = None
    source: str | None = None


def waiting_of(waiting: Pending, backs_off: Callable[[ActivityCall], bool]) -> Waiting:
    """Describe it; an activity that runs is not due."""
    if isinstance(waiting, Sleep):
        return Waiting("timer", due=waiting.due, source=waiting.source)
    if isinstance(waiting, ChildCall):
        return Waiting("child", waiting.workflow.name, id=waiting.child_id, source=waiting.source)
    if isinstance(waiting, ApprovalCall):
        name, digest = waiting.approval.name, waiting.digest
        return Waiting("approval", name, due=waiting.due, id=digest, source=waiting.source)
    due, name = waiting.due if backs_off(waiting) else None, waiting.activity.name
    return Waiting("activity", name, waiting.attempt, waiting.last_failure, due, source=waiting.source)


def doing(execution: Execution, backs_off: Callable[[ActivityCall], bool]) -> Doing:
    """What one open execution does: the busiest of all that it waits for."""
    if execution.blocked is not None:
        return "blocked"
    calls = [one for one in execution.pending.values() if isinstance(one, ActivityCall)]
    if any(not backs_off(call) for call in calls):
        return "running"
    if calls:
        return "retrying"
    timers = (one for one in execution.pending.values() if isinstance(one, Sleep | ApprovalCall))
    return "sleeping" if any(one.due is not None for one in timers) else "waiting"


def dormant_does(dormant: Dormant) -> Doing:
    return "waiting" if dormant.due is None else "sleeping"


def standing_of(
    executions: Iterable[Execution],
    backs_off: Callable[[ActivityCall], bool],
    *,
    dormant: Iterable[Dormant],
    quiet: bool,
    busy_at: int,
    next_wake_at: int | None,
) -> Standing:
    """Count them."""
    counts = Counter(doing(one, backs_off) for one in executions)
    counts.update(dormant_does(one) for one in dormant)
    idle = quiet and not counts["running"]
    return Standing(
        open=counts.total(),
        running=counts["running"],
        sleeping=counts["sleeping"],
        waiting=counts["waiting"],
        retrying=counts["retrying"],
        blocked=counts["blocked"],
        next_wake_at=next_wake_at,
        idle_since=busy_at if idle else None,
        can_hibernate=idle,
    )
