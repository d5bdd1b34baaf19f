"""How does the API show executions and events? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from dormouse.engine.clock import to_text
from dormouse.engine.ending import Status
from dormouse.engine.journal import Event, Kind
from dormouse.engine.mismatch import Blocked
from dormouse.engine.payload import Failure, decode_failure
from dormouse.engine.querying import Row
from dormouse.engine.reading import PendingApproval
from dormouse.engine.standing import Standing, Waiting

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
_status = msgspec.Meta(extra_json_schema={"enum": [one.value for one in Status]})
_kind = msgspec.Meta(extra_json_schema={"enum": [one.value for one in Kind]})
_waited_for = msgspec.Meta(extra_json_schema={"enum": ["activity", "timer", "child", "signal", "approval", "resume"]})


class ErrorView(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something failed."""

    type: str
    message: str
    source: str | None = None


class WaitingView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One thing that an open execution waits for."""

    kind: Annotated[str, _waited_for]
    name: str | None = None
    attempt: int | None = None
    last_error: ErrorView | None = None
    due_at: Moment | None = None
    id: str | None = None
    source: str | None = None


class ExecutionView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An execution as the API shows it."""

    id: str
    workflow: str
    status: Annotated[str, _status]
    started_at: Moment
    closed_at: Moment | None = None
    blocked: Blocked | None = None
    waits_for: list[WaitingView] | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorView | None = None
    app_version: str | None = None


class ExecutionsView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One page of executions, and where the next begins."""

    executions: list[ExecutionView]
    next: str | None = None


class EventView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An event as the API shows it."""

    position: int
    kind: Annotated[str, _kind]
    at: Moment
    command: int | None = None
    name: str | None = None
    attempt: int | None = None
    due: Moment | None = None
    source: str | None = None
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    key: str | None = None


class EventsView(msgspec.Struct, frozen=True):
    """Events of an execution's log, in their order."""

    events: list[EventView]


class AnswerView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a query or an update came to; while that is not known, the key to ask for it again with."""

    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorView | None = None
    idempotency_key: str | None = None


class StatusView(msgspec.Struct, frozen=True, rename="camel"):
    """What `/status` says."""

    epoch: int
    open: int
    running: int
    sleeping: int
    waiting: int
    retrying: int
    blocked: int
    next_wake_at: Moment | None
    idle_since: Moment | None
    can_hibernate: bool


class ApprovalView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A request for approval that waits for a decision, which has to name its digest."""

    execution: str
    workflow: str
    name: str
    digest: str
    value: msgspec.Raw
    requested_at: Moment
    expires_at: Moment | None = None
    source: str | None = None


class ApprovalsView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One page of requests for approval, the oldest first, and where the next begins."""

    approvals: list[ApprovalView]
    next: str | None = None


class DrillView(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a restore gave back what the live database holds, and its open executions go on with this code."""

    ok: bool
    position: str
    executions: int
    restore_seconds: float
    problems: list[str]


class ResumedView(msgspec.Struct, frozen=True):
    """How many paused executions go on."""

    resumed: int


class HealthView(msgspec.Struct, frozen=True):
    """Who answers at all is well."""

    ok: bool = True


class RefusalView(msgspec.Struct, frozen=True):
    """Why a request was refused: one word for programs, and what to do for people."""

    reason: str
    message: str


class RefusedView(msgspec.Struct, frozen=True):
    """A refusal."""

    error: RefusalView


def moment(at: int | None) -> str | None:
    return None if at is None else to_text(at)


def status_view(epoch: int, standing: Standing) -> StatusView:
    return StatusView(
        epoch,
        standing.open,
        standing.running,
        standing.sleeping,
        standing.waiting,
        standing.retrying,
        standing.blocked,
        moment(standing.next_wake_at),
        moment(standing.idle_since),
        standing.can_hibernate,
    )


def execution_view(
    row: Row, ending: Event | None = None, waiting: Sequence[Waiting] | None = None, *, with_result: bool = False
) -> ExecutionView:
    """Show an execution, with the event that closed it or what it waits for as far as they are given."""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorView | None = None
    if ending is not None and ending.kind != Kind.EXECUTION_COMPLETED:
        error = error_view(decode_failure(ending.payload or b"null"))
    elif ending is not None and with_result:
        result = msgspec.Raw(ending.payload or b"null")
    return ExecutionView(
        row.id,
        row.workflow,
        row.status,
        to_text(row.started_at),
        moment(row.closed_at),
        row.blocked,
        None if waiting is None else [waiting_view(one) for one in waiting],
        result,
        error,
        row.app_version,
    )


def executions_view(rows: Sequence[Row], limit: int) -> ExecutionsView:
    """A page of at most `limit`; that more than these are given says that there is another one."""
    following = str(rows[limit - 1].key) if len(rows) > limit else None
    return ExecutionsView([execution_view(row) for row in rows[:limit]], following)


def approvals_view(found: Sequence[PendingApproval], limit: int) -> ApprovalsView:
    """A page, as above."""
    following = str(found[limit - 1].position) if len(found) > limit else None
    return ApprovalsView([approval_view(one) for one in found[:limit]], following)


def approval_view(one: PendingApproval) -> ApprovalView:
    return ApprovalView(
        one.execution,
        one.workflow,
        one.name,
        one.digest,
        msgspec.Raw(one.payload),
        to_text(one.requested_at),
        moment(one.due),
        one.source,
    )


def waiting_view(waiting: Waiting) -> WaitingView:
    failure = waiting.last_failure
    return WaitingView(
        waiting.kind,
        waiting.name,
        waiting.attempt,
        None if failure is None else error_view(failure),
        moment(waiting.due),
        waiting.id,
        waiting.source,
    )


def error_view(failure: Failure) -> ErrorView:
    return ErrorView(failure.type, failure.message, failure.source)


def event_view(event: Event) -> EventView:
    return EventView(
        event.position,
        event.kind,
        to_text(event.at),
        event.command,
        event.name,
        event.attempt,
        moment(event.due),
        event.source,
        msgspec.UNSET if event.payload is None else msgspec.Raw(event.payload),
        event.key,
    )
