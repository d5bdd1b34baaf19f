"""Does the client ask for the right things, and does it understand the answers?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from dormouse import Signal, errors, workflow
from dormouse.client import Refused, Unreachable, flows
from dormouse.client.flows import Answer, Flow, Request
from dormouse.errors import (
    AnswerFailed,
    ExecutionBlocked,
    ExecutionFailed,
    ExecutionTerminated,
)
from dormouse.runtime.views import ErrorView, ExecutionView

T = TypeVar("T")


def answered(status: int, document: Any) -> Answer:
    return Answer(status, json.dumps(document).encode())


def execution(status: str = "Open", **more: Any) -> dict[str, Any]:
    return {"id": "a", "workflow": "order", "status": status, "startedAt": "2030-01-01T00:00:00.000Z", **more}


def drive(flow: Flow[T], *answers: Answer) -> tuple[list[Request], T]:
    """What the flow asks for when it is answered like this, and what it returns."""
    asked = []
    waiting = list(answers)
    try:
        request = next(flow)
        while True:
            asked.append(request)
            request = flow.send(waiting.pop(0))
    except StopIteration as done:
        assert waiting == []
        return asked, done.value


def test_a_start_sends_what_was_given_and_nothing_else() -> None:
    (request,), started = drive(flows.start("order", flows.NO_INPUT, None, None), answered(201, execution()))
    assert (request.method, request.path, request.body) == ("POST", "/v1/executions", b'{"workflow":"order"}')
    assert started.created
    (request,), started = drive(flows.start("order", {"b": 1, "a": 2}, "a", "key"), answered(200, execution()))
    assert json.loads(request.body or b"") == {"workflow": "order", "id": "a", "input": {"a": 2, "b": 1}}
    assert request.headers == {"Idempotency-Key": "key"}
    assert not started.created


def test_an_input_of_null_is_an_input() -> None:
    (request,), _ = drive(flows.start("order", None, None, None), answered(201, execution()))
    assert json.loads(request.body or b"") == {"workflow": "order", "input": None}


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    (request,), _ = drive(flows.show("../status?a"), answered(200, execution()))
    assert request.path == "/v1/executions/..%2Fstatus%3Fa"


def test_a_long_history_is_read_page_by_page() -> None:
    def page(first: int, count: int) -> Answer:
        moments = {"kind": "TimerSet", "at": "2030-01-01T00:00:00.000Z"}
        return answered(200, {"events": [{"position": first + number, **moments} for number in range(count)]})

    asked, events = drive(flows.history("a"), page(1, 1000), page(1001, 2))
    assert [request.query["after"] for request in asked] == ["0", "1000"]
    assert [event.position for event in events] == list(range(1, 1003))


def test_an_open_execution_is_asked_for_again_until_it_is_closed() -> None:
    closed = answered(200, execution("Completed", result=3))
    asked, found = drive(flows.outcome("a", None), answered(202, execution()), closed)
    assert len(asked) == 2
    assert flows.result_of(found, flows.decoder_of(None)) == 3


def test_nobody_waits_longer_than_was_said() -> None:
    moments = iter([100.0, 100.0, 101.0, 101.0, 105.0])
    asked, found = drive(
        flows.outcome("a", 5, clock=lambda: next(moments)), answered(202, execution()), answered(202, execution())
    )
    assert [request.query["wait"] for request in asked] == ["5.000", "4.000"]
    with pytest.raises(TimeoutError, match="still open"):
        flows.result_of(found, flows.decoder_of(None))


def test_a_blocked_execution_is_not_waited_for() -> None:
    blocked = {"reason": "NonDeterministic", "message": "the code differs"}
    _, found = drive(flows.outcome("a", None), answered(202, execution("Blocked", blocked=blocked)))
    with pytest.raises(ExecutionBlocked, match="the code differs"):
        flows.result_of(found, flows.decoder_of(None))


@pytest.mark.parametrize(("status", "kind"), [("Failed", ExecutionFailed), ("Terminated", ExecutionTerminated)])
def test_an_execution_without_a_result_raises_as_an_engine_does(status: str, kind: type[ExecutionFailed]) -> None:
    found = ExecutionView("a", "order", status, "", error=ErrorView("ValueError", "no tea", "orders.py:3"))
    with pytest.raises(kind, match="no tea") as raised:
        flows.result_of(found, flows.decoder_of("order"))
    assert type(raised.value) is kind


def test_a_result_has_the_type_of_its_workflow() -> None:
    @workflow
    async def numbers() -> tuple[int, ...]:
        return (1, 2)

    _, found = drive(flows.outcome("a", 0), answered(200, execution("Completed", result=[1, 2])))
    assert flows.result_of(found, flows.decoder_of(numbers)) == (1, 2)
    assert flows.result_of(found, flows.decoder_of("numbers")) == [1, 2]


def test_a_refusal_is_the_exception_that_an_engine_would_raise() -> None:
    for reason in ("UnknownExecution", "RequestConflict", "InvalidInput", "UnknownMessage", "ExecutionClosed"):
        kind = getattr(errors, reason)
        with pytest.raises(kind, match=r"^because$"):
            drive(flows.show("a"), answered(404, {"error": {"reason": reason, "message": "because"}}))
    with pytest.raises(Refused, match="because") as refused:
        drive(flows.show("a"), answered(503, {"error": {"reason": "NotReady", "message": "because"}}))
    assert (refused.value.status, refused.value.reason) == (503, "NotReady")


def test_an_answer_of_something_else_is_said_to_be_that() -> None:
    with pytest.raises(Unreachable, match=r"HTTP 502.*Bad gateway"):
        drive(flows.show("a"), Answer(502, b"<h1>Bad gateway</h1>"))


def test_a_message_goes_to_its_name_with_its_value_and_key() -> None:
    (request,), told = drive(flows.signal("a/b", Signal("re ply", str), "tea", "key"), answered(200, execution()))
    assert (request.method, request.path) == ("POST", "/v1/executions/a%2Fb/signals/re%20ply")
    assert (request.body, request.headers) == (b'"tea"', {"Idempotency-Key": "key"})
    assert told.status == "Open"
    (request,), answer = drive(flows.query("a", "total"), answered(200, {"result": [1]}))
    assert (request.method, request.path, answer) == ("GET", "/v1/executions/a/queries/total", b"[1]")


def test_an_update_is_asked_for_again_under_the_key_that_it_was_given() -> None:
    later = answered(202, {"idempotencyKey": "made up"})
    asked, result = drive(flows.update("a", "assign", 1, None, None), later, answered(200, {"result": None}))
    assert [request.headers for request in asked] == [{}, {"Idempotency-Key": "made up"}]
    assert [request.body for request in asked] == [b"1", b"1"]
    assert result == b"null"


def test_an_update_that_takes_too_long_says_with_which_key_it_goes_on() -> None:
    moments = iter([100.0, 100.0, 105.0])
    flow = flows.update("a", "assign", 1, None, 5, clock=lambda: next(moments))
    with pytest.raises(TimeoutError, match="the idempotency key 'made up'"):
        drive(flow, answered(202, {"idempotencyKey": "made up"}))


@pytest.mark.parametrize("flow", [lambda: flows.query("a", "q"), lambda: flows.update("a", "u", 1, None, None)])
def test_an_answer_that_raised_raises_as_an_engine_does(flow: Callable[[], Flow[bytes]]) -> None:
    with pytest.raises(AnswerFailed, match="no such colleague") as failed:
        drive(flow(), answered(200, {"error": {"type": "LookupError", "message": "no such colleague"}}))
    assert failed.value.cause_type == "LookupError"


def test_an_end_is_asked_for_with_its_reason_and_a_retry_without_a_body() -> None:
    (request,), told = drive(flows.end("a", "terminate", "twice"), answered(200, execution("Terminated")))
    assert (request.path, request.body, told.status) == (
        "/v1/executions/a/terminate",
        b'{"reason":"twice"}',
        "Terminated",
    )
    (request,), told = drive(flows.retry("a"), answered(200, execution()))
    assert (request.path, request.body, told.status) == ("/v1/executions/a/retry", None, "Open")
