"""Which requests does each thing take that a client can do, and what follows from the answers? Pure.

Each is a generator: it yields a request, is sent the answer, and returns what was asked for. So it is written once for
the client that waits and the one that awaits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from dormouse.client.refusals import refusal
from dormouse.engine.messages import name_of, not_done_yet
from dormouse.engine.payload import encode
from dormouse.errors import AnswerFailed, ExecutionBlocked, ExecutionCancelled, ExecutionFailed, ExecutionTerminated
from dormouse.runtime.views import (
    AnswerView,
    ApprovalsView,
    DrillView,
    EventView,
    ExecutionsView,
    ExecutionView,
    ResumedView,
    StatusView,
)

T = TypeVar("T")
NO_INPUT: Any = object()
_PAGE = 1000
_WAIT_SECONDS = 60.0
_DRILL_SECONDS = 1800.0
_FAILURES = {"Failed": ExecutionFailed, "Cancelled": ExecutionCancelled, "Terminated": ExecutionTerminated}


@dataclass(frozen=True)
class Request:
    """One HTTP request; `waits_seconds` is how long the answer may be held back on purpose."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    waits_seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


Flow = Generator[Request, Answer, T]


@dataclass(frozen=True)
class Started:
    """An execution, and whether this very request started it."""

    execution: ExecutionView
    created: bool


class _Events(msgspec.Struct):
    events: list[EventView]


_decode_answer = msgspec.json.Decoder(AnswerView).decode
_decode_execution = msgspec.json.Decoder(ExecutionView).decode
_decode_approvals = msgspec.json.Decoder(ApprovalsView).decode
_decode_executions = msgspec.json.Decoder(ExecutionsView).decode
_decode_status = msgspec.json.Decoder(StatusView).decode
_decode_resumed = msgspec.json.Decoder(ResumedView).decode
_decode_drill = msgspec.json.Decoder(DrillView).decode
_decode_events = msgspec.json.Decoder(_Events).decode


def _path(execution_id: str, *parts: str) -> str:
    return "/".join(["/v1/executions", *(quote(part, safe="") for part in (execution_id, *parts))])


def _key(idempotency_key: str | None) -> dict[str, str]:
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


class _Waits:
    """How much longer may answers be held back?"""

    def __init__(self, timeout: float | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deadline = None if timeout is None else clock() + timeout

    def left(self) -> float:
        return _WAIT_SECONDS if self._deadline is None else min(max(self._deadline - self._clock(), 0.0), _WAIT_SECONDS)

    def over(self) -> bool:
        return self._deadline is not None and self._clock() >= self._deadline


def _ask(request: Request) -> Flow[Answer]:
    answer = yield request
    if answer.status >= 400:
        raise refusal(answer.status, answer.body)
    return answer


def start(workflow: Any, value: Any, execution_id: str | None, idempotency_key: str | None) -> Flow[Started]:
    """Start an execution."""
    document: dict[str, Any] = {"workflow": name_of(workflow), "id": execution_id}
    if value is not NO_INPUT:
        document["input"] = msgspec.Raw(encode(value))
    body = msgspec.json.encode({key: part for key, part in document.items() if part is not None})
    answer = yield from _ask(Request("POST", "/v1/executions", headers=_key(idempotency_key), body=body))
    return Started(_decode_execution(answer.body), answer.status == 201)


def standing() -> Flow[StatusView]:
    """How many executions do what."""
    return _decode_status((yield from _ask(Request("GET", "/status"))).body)


def show(execution_id: str) -> Flow[ExecutionView]:
    """One execution as it stands."""
    return _decode_execution((yield from _ask(Request("GET", _path(execution_id)))).body)


def executions(status: str | None, workflow: Any, limit: int, after: str | None) -> Flow[ExecutionsView]:
    """A page of the newest executions."""
    named = None if workflow is None else name_of(workflow)
    asked = {"status": status, "workflow": named, "limit": str(limit), "after": after}
    query = {name: value for name, value in asked.items() if value is not None}
    return _decode_executions((yield from _ask(Request("GET", "/v1/executions", query=query))).body)


def history(execution_id: str) -> Flow[list[EventView]]:
    """All its events, page by page."""
    events: list[EventView] = []
    while True:
        query = {"limit": str(_PAGE), "after": str(events[-1].position if events else 0)}
        answer = yield from _ask(Request("GET", _path(execution_id, "events"), query=query))
        page = _decode_events(answer.body).events
        events += page
        if len(page) < _PAGE:
            return events


def outcome(
    execution_id: str, timeout: float | None, clock: Callable[[], float] = time.monotonic
) -> Flow[ExecutionView]:
    """The execution once it is closed or blocked, or as it stands when the time is over."""
    waits = _Waits(timeout, clock)
    while True:
        left = waits.left()
        request = Request("GET", _path(execution_id, "result"), query={"wait": f"{left:.3f}"}, waits_seconds=left)
        answer = yield from _ask(request)
        execution = _decode_execution(answer.body)
        if answer.status == 200 or execution.status == "Blocked" or waits.over():
            return execution


def signal(execution_id: str, message: Any, value: Any, idempotency_key: str | None) -> Flow[ExecutionView]:
    """Send a signal."""
    path = _path(execution_id, "signals", name_of(message))
    answer = yield from _ask(Request("POST", path, headers=_key(idempotency_key), body=encode(value)))
    return _decode_execution(answer.body)


def query(execution_id: str, message: Any) -> Flow[bytes]:
    """Ask a query and give the answer as JSON."""
    answer = yield from _ask(Request("GET", _path(execution_id, "queries", name_of(message))))
    return _answered(name_of(message), _decode_answer(answer.body))


def update(
    execution_id: str,
    message: Any,
    value: Any,
    idempotency_key: str | None,
    timeout: float | None,
    clock: Callable[[], float] = time.monotonic,
) -> Flow[bytes]:
    """Send an update and give its result as JSON, once it is done.

    Raises:
        AnswerFailed: when the answer raised.
        TimeoutError: when it is not done when the time is over; the message has the key to ask again with.
    """
    name, key, waits = name_of(message), idempotency_key, _Waits(timeout, clock)
    path, body = _path(execution_id, "updates", name), encode(value)
    while True:
        left = waits.left()
        wait = {"wait": f"{left:.3f}"}
        answer = yield from _ask(Request("POST", path, query=wait, headers=_key(key), body=body, waits_seconds=left))
        found = _decode_answer(answer.body)
        if answer.status == 200:
            return _answered(name, found)
        key = found.idempotency_key
        if waits.over():
            raise not_done_yet(execution_id, name, key or "")


def _answered(name: str, answer: AnswerView) -> bytes:
    if answer.error is not None:
        raise AnswerFailed(name, answer.error.type, answer.error.message)
    return b"null" if answer.result is msgspec.UNSET else bytes(answer.result)


def approvals(limit: int, after: str | None, execution_id: str | None = None) -> Flow[ApprovalsView]:
    """A page of the requests for approval that wait for a decision, of one execution or of all."""
    path = "/v1/approvals" if execution_id is None else _path(execution_id, "approvals")
    query = {"limit": str(limit)} | ({} if after is None else {"after": after})
    return _decode_approvals((yield from _ask(Request("GET", path, query=query))).body)


def decide(
    execution_id: str, approval: Any, digest: str, decision: Literal["approve", "reject"], by: str, reason: str
) -> Flow[ExecutionView]:
    """Approve or reject the request for approval that the digest stands for."""
    path = _path(execution_id, "approvals", name_of(approval))
    body = msgspec.json.encode({"decision": decision, "digest": digest, "by": by, "reason": reason})
    return _decode_execution((yield from _ask(Request("POST", path, body=body))).body)


def end(execution_id: str, how: Literal["cancel", "terminate"], reason: str) -> Flow[ExecutionView]:
    """Ask an execution to cancel itself, or end it."""
    body = msgspec.json.encode({"reason": reason})
    return _decode_execution((yield from _ask(Request("POST", _path(execution_id, how), body=body))).body)


def retry(execution_id: str) -> Flow[ExecutionView]:
    """Let an execution go on that has ended without a result."""
    return _decode_execution((yield from _ask(Request("POST", _path(execution_id, "retry")))).body)


def resume(execution_id: str) -> Flow[ExecutionView]:
    """Let an execution go on that is paused since a restore."""
    return _decode_execution((yield from _ask(Request("POST", _path(execution_id, "resume")))).body)


def resume_all() -> Flow[int]:
    """Let all go on that are paused since a restore; how many they were."""
    return _decode_resumed((yield from _ask(Request("POST", "/v1/resume"))).body).resumed


def drill() -> Flow[DrillView]:
    """Try out a restore."""
    return _decode_drill((yield from _ask(Request("POST", "/v1/drill", waits_seconds=_DRILL_SECONDS))).body)


def result_of(execution: ExecutionView, decode: Callable[[bytes], T]) -> T:
    """The result of a closed execution.

    Raises:
        ExecutionFailed, ExecutionCancelled, ExecutionTerminated, ExecutionBlocked: when it has none.
        TimeoutError: when it is still open.
    """
    failed = _FAILURES.get(execution.status)
    if failed is not None and execution.error is not None:
        error = execution.error
        raise failed(execution.id, error.type, error.message, error.source)
    if execution.blocked is not None:
        raise ExecutionBlocked(f"execution {execution.id!r} is blocked: {execution.blocked.message}")
    if execution.result is msgspec.UNSET:
        raise TimeoutError(f"execution {execution.id!r} is still open")
    return decode(bytes(execution.result))


def decoder_of(definition: Any) -> Callable[[bytes], Any]:
    """How a result is read: by the type of the workflow or the message when it is given, else as JSON says."""
    if definition is None or isinstance(definition, str):
        return msgspec.json.decode
    decode: Callable[[bytes], Any] = definition.result.decode
    return decode
