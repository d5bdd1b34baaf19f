"""Which requests does each thing take that a client can do, and what follows from the answers? Pure.

Each is a generator: it yields a request, is sent the answer, and returns what was asked for. So it is written once for
the client that waits and the one that awaits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from dormouse.client.refusals import refusal
from dormouse.engine.payload import encode
from dormouse.errors import ExecutionBlocked, ExecutionCancelled, ExecutionFailed, ExecutionTerminated
from dormouse.runtime.views import EventView, ExecutionsView, ExecutionView

T = TypeVar("T")
NO_INPUT: Any = object()
_PAGE = 1000
_WAIT_SECONDS = 60.0
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


_decode_execution = msgspec.json.Decoder(ExecutionView).decode
_decode_executions = msgspec.json.Decoder(ExecutionsView).decode
_decode_events = msgspec.json.Decoder(_Events).decode


def _path(execution_id: str, *parts: str) -> str:
    return "/".join(["/v1/executions", quote(execution_id, safe=""), *parts])


def _ask(request: Request) -> Flow[Answer]:
    answer = yield request
    if answer.status >= 400:
        raise refusal(answer.status, answer.body)
    return answer


def start(workflow: Any, value: Any, execution_id: str | None, idempotency_key: str | None) -> Flow[Started]:
    """Start an execution."""
    name = workflow if isinstance(workflow, str) else workflow.name
    document = {"workflow": name, "id": execution_id}
    if value is not NO_INPUT:
        document["input"] = msgspec.Raw(encode(value))
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    body = msgspec.json.encode({key: part for key, part in document.items() if part is not None})
    answer = yield from _ask(Request("POST", "/v1/executions", headers=headers, body=body))
    return Started(_decode_execution(answer.body), answer.status == 201)


def show(execution_id: str) -> Flow[ExecutionView]:
    """One execution as it stands."""
    return _decode_execution((yield from _ask(Request("GET", _path(execution_id)))).body)


def executions(limit: int, after: str | None) -> Flow[ExecutionsView]:
    """A page of the newest executions."""
    query = {"limit": str(limit)} | ({} if after is None else {"after": after})
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
    deadline = None if timeout is None else clock() + timeout
    while True:
        left = _WAIT_SECONDS if deadline is None else min(max(deadline - clock(), 0.0), _WAIT_SECONDS)
        request = Request("GET", _path(execution_id, "result"), query={"wait": f"{left:.3f}"}, waits_seconds=left)
        answer = yield from _ask(request)
        execution = _decode_execution(answer.body)
        is_over = deadline is not None and clock() >= deadline
        if answer.status == 200 or execution.status == "Blocked" or is_over:
            return execution


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


def decoder_of(workflow: Any) -> Callable[[bytes], Any]:
    """How its result is read: by the workflow's own type when it is given, else as JSON says."""
    if workflow is None or isinstance(workflow, str):
        return msgspec.json.decode
    decode: Callable[[bytes], Any] = workflow.result.decode
    return decode
