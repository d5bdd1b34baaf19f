"""What does the runtime answer over HTTP? Routes, and what becomes of wrong input."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from dormouse.engine.clock import to_text
from dormouse.engine.database import Row
from dormouse.engine.engine import Engine
from dormouse.engine.journal import Event, Kind
from dormouse.engine.mismatch import Blocked
from dormouse.engine.payload import decode_failure, encode
from dormouse.errors import (
    DormouseError,
    EngineStopped,
    ExecutionBlocked,
    InvalidInput,
    RequestConflict,
    UnknownExecution,
    UnknownWorkflow,
)
from dormouse.runtime.server import Request, Response

_LONGEST_WAIT_SECONDS = 300.0
_MOST_LISTED = 1000
_STATUS_OF: dict[type[DormouseError], int] = {
    UnknownWorkflow: 404,
    UnknownExecution: 404,
    InvalidInput: 422,
    RequestConflict: 409,
    EngineStopped: 503,
}


class _Start(msgspec.Struct, forbid_unknown_fields=True):
    workflow: str
    input: msgspec.Raw = msgspec.Raw()
    id: str | None = None


class ExecutionView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An execution as the API shows it."""

    id: str
    workflow: str
    status: str
    started_at: str
    closed_at: str | None = None
    blocked: Blocked | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class EventView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An event as the API shows it."""

    position: int
    kind: str
    at: str
    command: int | None = None
    name: str | None = None
    attempt: int | None = None
    due: str | None = None
    source: str | None = None
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class StatusView(msgspec.Struct, frozen=True, rename="camel"):
    """What `/status` says."""

    epoch: int
    open: int
    running: int
    sleeping: int
    waiting: int
    retrying: int
    blocked: int
    next_wake_at: str | None
    idle_since: str | None
    can_hibernate: bool


class Api:
    """Answers requests; until the engine is there, with 503."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self.engine: Engine | None = None
        self.not_ready = "the database is being restored"

    async def answer(self, request: Request) -> Response:
        """Never raises: whatever is wrong becomes an answer that says what to do."""
        if request.path == "/healthz":
            return _json(200, {"ok": True})
        if self.engine is None:
            return _error(503, "NotReady", self.not_ready, ("retry-after", "1"))
        if request.path == "/readyz":
            return _json(200, {"ok": True})
        try:
            return await self._route(request, self.engine)
        except DormouseError as error:
            return _error(_STATUS_OF.get(type(error), 500), type(error).__name__, str(error))

    async def _route(self, request: Request, engine: Engine) -> Response:
        for pattern, methods in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            handler = methods.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                allowed = ", ".join(methods)
                return _error(405, "MethodNotAllowed", f"{request.path} takes {allowed}", ("allow", allowed))
            return await handler(self, engine, request, *match.groups())
        known = "/healthz, /readyz, /status, /v1/executions[/ID[/result|/events]]"
        return _error(404, "UnknownPath", f"there is no {request.path}; there are {known}")

    async def _status(self, engine: Engine, _: Request) -> Response:
        standing = engine.standing()
        view = StatusView(
            self._epoch,
            standing.open,
            standing.running,
            standing.sleeping,
            standing.waiting,
            standing.retrying,
            standing.blocked,
            _moment(standing.next_wake_at),
            _moment(standing.idle_since),
            standing.can_hibernate,
        )
        return _json(200, view)

    async def _start(self, engine: Engine, request: Request) -> Response:
        try:
            wanted = _decode_start(request.body)
            payload = encode(msgspec.json.decode(wanted.input)) if bytes(wanted.input) else None
        except msgspec.ValidationError as error:
            return _error(422, "InvalidRequest", f"{error}; the body is {{workflow, input?, id?}}")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _error(400, "NotJSON", f"the body is not JSON: {error}")
        key = request.headers.get("idempotency-key")
        if key is not None and not 0 < len(key) <= 255:
            return _error(422, "InvalidRequest", "Idempotency-Key must have 1 to 255 characters")
        handle = await engine.start_encoded(wanted.workflow, payload, execution_id=wanted.id, idempotency_key=key)
        view = _view(engine.describe(handle.id))
        return _json(201 if handle.created else 200, view, ("location", f"/v1/executions/{handle.id}"))

    async def _list(self, engine: Engine, request: Request) -> Response:
        limit = _number(request, "limit", 100, _MOST_LISTED)
        return _json(200, {"executions": [_view(row) for row in engine.describe_newest(int(limit))]})

    async def _show(self, engine: Engine, _: Request, execution_id: str) -> Response:
        return _json(200, _view(engine.describe(execution_id)))

    async def _result(self, engine: Engine, request: Request, execution_id: str) -> Response:
        wait = _number(request, "wait", 0, _LONGEST_WAIT_SECONDS)
        row = engine.describe(execution_id)
        if not row.status.closed:
            try:
                await asyncio.wait_for(engine.outcome(execution_id), wait)
            except (TimeoutError, ExecutionBlocked):
                return _json(202, _view(engine.describe(execution_id)))
        row, event = await engine.outcome(execution_id)
        return _json(200, _view(row, event))

    async def _events(self, engine: Engine, request: Request, execution_id: str) -> Response:
        limit = int(_number(request, "limit", _MOST_LISTED, _MOST_LISTED))
        after = int(_number(request, "after", 0, 2.0**62))
        events = engine.history(execution_id, after=after, limit=limit)
        return _json(200, {"events": [_event_view(event) for event in events]})


_Handler = Callable[..., Awaitable[Response]]
_ROUTES: list[tuple[re.Pattern[str], dict[str, _Handler]]] = [
    (re.compile(r"/status"), {"GET": Api._status}),
    (re.compile(r"/v1/executions"), {"GET": Api._list, "POST": Api._start}),
    (re.compile(r"/v1/executions/([^/]+)"), {"GET": Api._show}),
    (re.compile(r"/v1/executions/([^/]+)/result"), {"GET": Api._result}),
    (re.compile(r"/v1/executions/([^/]+)/events"), {"GET": Api._events}),
]
_decode_start = msgspec.json.Decoder(_Start).decode


def _json(status: int, value: Any, *headers: tuple[str, str]) -> Response:
    return Response(status, msgspec.json.encode(value) + b"\n", headers)


def _error(status: int, reason: str, message: str, *headers: tuple[str, str]) -> Response:
    return _json(status, {"error": {"reason": reason, "message": message}}, *headers)


def refuse(status: int, message: str) -> Response:
    """The answer to what never became a request."""
    return _error(status, "BadRequest" if status < 500 else "Failed", message)


def _moment(moment: int | None) -> str | None:
    return None if moment is None else to_text(moment)


def _number(request: Request, name: str, default: float, most: float) -> float:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise InvalidInput(f"the query's {name} must be a number from 0, not {text!r}")
    return min(number, most)


def _view(row: Row, event: Event | None = None) -> ExecutionView:
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    if event is not None and event.kind == Kind.EXECUTION_COMPLETED:
        result = msgspec.Raw(event.payload or b"null")
    elif event is not None:
        failure = decode_failure(event.payload or b"null")
        error = msgspec.Raw(msgspec.json.encode({"type": failure.type, "message": failure.message}))
    return ExecutionView(
        row.id, row.workflow, row.status, to_text(row.started_at), _moment(row.closed_at), row.blocked, result, error
    )


def _event_view(event: Event) -> EventView:
    return EventView(
        event.position,
        event.kind,
        to_text(event.at),
        event.command,
        event.name,
        event.attempt,
        _moment(event.due),
        event.source,
        msgspec.UNSET if event.payload is None else msgspec.Raw(event.payload),
    )
