"""What does the runtime answer over HTTP? Routes, and what becomes of wrong input."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from secrets import token_hex
from typing import Any

import msgspec

from dormouse.engine.ending import Status
from dormouse.engine.engine import Engine
from dormouse.engine.payload import encode
from dormouse.errors import (
    AnswerFailed,
    DormouseError,
    EngineStopped,
    ExecutionBlocked,
    ExecutionClosed,
    InvalidInput,
    NotRetryable,
    RequestConflict,
    UnknownExecution,
    UnknownMessage,
    UnknownWorkflow,
)
from dormouse.runtime.server import Request, Response
from dormouse.runtime.views import AnswerView, ErrorView, ExecutionsView, event_view, execution_view, status_view

_LONGEST_WAIT_SECONDS = 300.0
_MOST_LISTED = 1000
_CURSOR_DIGITS = 19  # SQLite's integers
_STATUS_OF: dict[type[DormouseError], int] = {
    UnknownWorkflow: 404,
    UnknownExecution: 404,
    UnknownMessage: 404,
    ExecutionClosed: 409,
    ExecutionBlocked: 409,
    NotRetryable: 409,
    InvalidInput: 422,
    RequestConflict: 409,
    EngineStopped: 503,
}


class _Start(msgspec.Struct, forbid_unknown_fields=True):
    workflow: str
    input: msgspec.Raw = msgspec.Raw()
    id: str | None = None


class _NotJSON(Exception):
    """The body is something else."""


class _Reason(msgspec.Struct, forbid_unknown_fields=True):
    reason: str = ""


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
        except _NotJSON as error:
            return _error(400, "NotJSON", f"the body is not JSON: {error}")
        except DormouseError as error:
            return _error(_STATUS_OF.get(type(error), 500), type(error).__name__, str(error))

    async def _route(self, request: Request, engine: Engine) -> Response:
        for pattern, methods, parameters in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            handler = methods.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                allowed = ", ".join(methods)
                return _error(405, "MethodNotAllowed", f"{request.path} takes {allowed}", ("allow", allowed))
            known = frozenset() if methods.keys() == {"GET", "POST"} and request.method == "POST" else parameters
            unknown = request.query.keys() - known
            if unknown:
                return _unknown_parameters(unknown, known)
            return await handler(self, engine, request, *match.groups())
        paths = "/healthz, /readyz, /status, /v1/executions[/ID[/result|/events|/signals/NAME ...]]"
        return _error(404, "UnknownPath", f"there is no {request.path}; there are {paths}")

    async def _status(self, engine: Engine, _: Request) -> Response:
        return _json(200, status_view(self._epoch, engine.standing()))

    async def _start(self, engine: Engine, request: Request) -> Response:
        try:
            wanted = _decode_start(request.body)
            payload = encode(msgspec.json.decode(wanted.input)) if bytes(wanted.input) else None
        except msgspec.ValidationError as error:
            return _error(422, "InvalidRequest", f"{error}; the body is {{workflow, input?, id?}}")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _NotJSON(str(error)) from error
        key = _idempotency_key(request)
        handle = await engine.start_encoded(wanted.workflow, payload, execution_id=wanted.id, idempotency_key=key)
        view = execution_view(engine.read.describe(handle.id))
        return _json(201 if handle.created else 200, view, ("location", f"/v1/executions/{handle.id}"))

    async def _list(self, engine: Engine, request: Request) -> Response:
        limit = max(1, int(_number(request, "limit", 100, _MOST_LISTED)))
        after = request.query.get("after")
        if after is not None and not (after.isascii() and after.isdigit() and len(after) < _CURSOR_DIGITS):
            raise InvalidInput(f"the query's after must be the `next` of an answer, not {after!r}")
        rows = engine.read.describe_newest(limit + 1, before=None if after is None else int(after))
        following = str(rows[limit - 1].key) if len(rows) > limit else None
        views = [execution_view(row) for row in rows[:limit]]
        return _json(200, ExecutionsView(views, following))

    async def _show(self, engine: Engine, _: Request, execution_id: str) -> Response:
        row = engine.read.describe(execution_id)
        waiting = engine.read.waits_for(execution_id) if row.status == Status.OPEN else None
        return _json(200, execution_view(row, engine.read.ending(row), waiting))

    async def _result(self, engine: Engine, request: Request, execution_id: str) -> Response:
        wait = _number(request, "wait", 0, _LONGEST_WAIT_SECONDS)
        row = engine.read.describe(execution_id)
        if not row.status.closed:
            try:
                await asyncio.wait_for(engine.outcome(execution_id), wait)
            except (TimeoutError, ExecutionBlocked):
                return _json(202, execution_view(engine.read.describe(execution_id)))
        row, event = await engine.outcome(execution_id)
        return _json(200, execution_view(row, event, with_result=True))

    async def _events(self, engine: Engine, request: Request, execution_id: str) -> Response:
        limit = int(_number(request, "limit", _MOST_LISTED, _MOST_LISTED))
        after = int(_number(request, "after", 0, 2.0**62))
        events = engine.read.history(execution_id, after=after, limit=limit)
        return _json(200, {"events": [event_view(event) for event in events]})

    async def _signal(self, engine: Engine, request: Request, execution_id: str, name: str) -> Response:
        control = await engine.control()
        await control.signal(execution_id, name, _value(request), _idempotency_key(request))
        return _json(200, execution_view(engine.read.describe(execution_id)))

    async def _query(self, engine: Engine, _: Request, execution_id: str, name: str) -> Response:
        try:
            result = await (await engine.control()).query(execution_id, name)
        except AnswerFailed as failed:
            return _json(200, AnswerView(error=ErrorView(failed.cause_type, failed.cause_message)))
        return _json(200, AnswerView(msgspec.Raw(result)))

    async def _update(self, engine: Engine, request: Request, execution_id: str, name: str) -> Response:
        wait = _number(request, "wait", _LONGEST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS)
        key = _idempotency_key(request) or token_hex(16)
        control = await engine.control()
        try:
            result = await asyncio.wait_for(control.update(execution_id, name, _value(request), key), wait)
        except TimeoutError:
            return _json(202, AnswerView(idempotency_key=key))
        except AnswerFailed as failed:
            return _json(200, AnswerView(error=ErrorView(failed.cause_type, failed.cause_message)))
        return _json(200, AnswerView(msgspec.Raw(result)))

    async def _cancel(self, engine: Engine, request: Request, execution_id: str) -> Response:
        await (await engine.control()).cancel(execution_id, _reason(request))
        return _json(200, execution_view(engine.read.describe(execution_id)))

    async def _terminate(self, engine: Engine, request: Request, execution_id: str) -> Response:
        await (await engine.control()).terminate(execution_id, _reason(request))
        return _json(200, execution_view(engine.read.describe(execution_id)))

    async def _retry(self, engine: Engine, request: Request, execution_id: str) -> Response:
        if request.body:
            raise InvalidInput("a retry takes no body")
        await (await engine.control()).retry(execution_id)
        return _json(200, execution_view(engine.read.describe(execution_id)))


_Handler = Callable[..., Awaitable[Response]]
_NONE: frozenset[str] = frozenset()
_ROUTES: list[tuple[re.Pattern[str], dict[str, _Handler], frozenset[str]]] = [
    (re.compile(r"/status"), {"GET": Api._status}, _NONE),
    (re.compile(r"/v1/executions"), {"GET": Api._list, "POST": Api._start}, frozenset({"limit", "after"})),
    (re.compile(r"/v1/executions/([^/]+)"), {"GET": Api._show}, _NONE),
    (re.compile(r"/v1/executions/([^/]+)/result"), {"GET": Api._result}, frozenset({"wait"})),
    (re.compile(r"/v1/executions/([^/]+)/events"), {"GET": Api._events}, frozenset({"limit", "after"})),
    (re.compile(r"/v1/executions/([^/]+)/signals/([^/]+)"), {"POST": Api._signal}, _NONE),
    (re.compile(r"/v1/executions/([^/]+)/queries/([^/]+)"), {"GET": Api._query}, _NONE),
    (re.compile(r"/v1/executions/([^/]+)/updates/([^/]+)"), {"POST": Api._update}, frozenset({"wait"})),
    (re.compile(r"/v1/executions/([^/]+)/cancel"), {"POST": Api._cancel}, _NONE),
    (re.compile(r"/v1/executions/([^/]+)/terminate"), {"POST": Api._terminate}, _NONE),
    (re.compile(r"/v1/executions/([^/]+)/retry"), {"POST": Api._retry}, _NONE),
]
"""Paths, what answers them, and which parameters a query may have; of a start, none."""
_decode_start = msgspec.json.Decoder(_Start).decode
_decode_reason = msgspec.json.Decoder(_Reason).decode


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= 255:
        raise InvalidInput("the header Idempotency-Key must have 1 to 255 characters")
    return key


def _value(request: Request) -> bytes:
    """The JSON value that a message carries; without a body, null."""
    try:
        return encode(msgspec.json.decode(request.body or b"null"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _NotJSON(str(error)) from error


def _reason(request: Request) -> str:
    try:
        return _decode_reason(request.body or b"{}").reason
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{error}; the body is {{reason?}}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _NotJSON(str(error)) from error


def _json(status: int, value: Any, *headers: tuple[str, str]) -> Response:
    return Response(status, msgspec.json.encode(value) + b"\n", headers)


def _error(status: int, reason: str, message: str, *headers: tuple[str, str]) -> Response:
    return _json(status, {"error": {"reason": reason, "message": message}}, *headers)


def _unknown_parameters(unknown: AbstractSet[str], known: AbstractSet[str]) -> Response:
    has, takes = ", ".join(sorted(unknown)), ", ".join(sorted(known)) or "none"
    return _error(400, "UnknownParameter", f"the query has {has}; the parameters of this path are: {takes}")


def refuse(status: int, message: str) -> Response:
    """The answer to what never became a request."""
    return _error(status, "BadRequest" if status < 500 else "Failed", message)


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
