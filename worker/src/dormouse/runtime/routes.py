"""Which paths does the API have? The one table that the server answers by, and that its OpenAPI document is made of."""

from __future__ import annotations

from dormouse.runtime import handlers
from dormouse.runtime.bodies import DecisionBody, ReasonBody, StartBody
from dormouse.runtime.route import Answer, Body, Route
from dormouse.runtime.views import (
    AnswerView,
    ApprovalsView,
    EventsView,
    ExecutionsView,
    ExecutionView,
    HealthView,
    StatusView,
)

_EXECUTIONS = "/v1/executions"
_EXECUTION = "/v1/executions/{execution}"
_TAKES_MESSAGES = ("UnknownExecution", "UnknownMessage", "ExecutionClosed", "ExecutionBlocked")
_LOCATION = {"Location": "the path of the execution"}
_TOLD = Answer("it counts", ExecutionView)

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/healthz",
        handlers.is_healthy,
        "Whether the process listens",
        {200: Answer("it does", HealthView)},
        public=True,
    ),
    Route(
        "GET",
        "/readyz",
        handlers.is_ready,
        "Whether everything that has something to do has been replayed",
        {200: Answer("it has", HealthView)},
        public=True,
    ),
    Route(
        "GET",
        "/status",
        handlers.show_status,
        "Count the executions",
        {200: Answer("how many do what", StatusView)},
    ),
    Route(
        "POST",
        _EXECUTIONS,
        handlers.start,
        "Start an execution",
        {
            201: Answer("it has begun, and that counts", ExecutionView, _LOCATION),
            200: Answer("the same request has started it before", ExecutionView, _LOCATION),
        },
        ("NotJSON", "UnknownWorkflow", "RequestConflict", "InvalidRequest", "InvalidInput"),
        body=Body(StartBody, required=True),
        takes_key=True,
        takes_trace=True,
    ),
    Route(
        "GET",
        _EXECUTIONS,
        handlers.list_executions,
        "List the executions, the newest first",
        {200: Answer("a page", ExecutionsView)},
        ("InvalidInput",),
        (handlers.LIMIT, handlers.PAGE),
    ),
    Route(
        "GET",
        _EXECUTION,
        handlers.show,
        "Look at an execution",
        {200: Answer("as it stands", ExecutionView)},
        ("UnknownExecution",),
    ),
    Route(
        "GET",
        f"{_EXECUTION}/result",
        handlers.show_result,
        "Wait for an execution's result",
        {
            200: Answer("it has ended", ExecutionView),
            202: Answer("it is still open, or blocked", ExecutionView),
        },
        ("UnknownExecution", "InvalidInput"),
        (handlers.RESULT_WAIT,),
    ),
    Route(
        "GET",
        f"{_EXECUTION}/events",
        handlers.list_events,
        "Read an execution's log",
        {200: Answer("events, the oldest first", EventsView)},
        ("UnknownExecution", "InvalidInput"),
        (handlers.EVENTS_LIMIT, handlers.EVENTS_AFTER),
    ),
    Route(
        "POST",
        f"{_EXECUTION}/signals/{{name}}",
        handlers.send_signal,
        "Send an execution a signal",
        {200: _TOLD},
        ("NotJSON", *_TAKES_MESSAGES, "RequestConflict", "InvalidInput"),
        body=Body(),
        takes_key=True,
    ),
    Route(
        "GET",
        f"{_EXECUTION}/queries/{{name}}",
        handlers.ask_query,
        "Ask an execution a query",
        {200: Answer("the answer, or what it raised", AnswerView)},
        _TAKES_MESSAGES,
    ),
    Route(
        "POST",
        f"{_EXECUTION}/updates/{{name}}",
        handlers.send_update,
        "Have an execution do an update",
        {
            200: Answer("it is done: the result, or what it raised", AnswerView),
            202: Answer("it is not done yet; send the same again with this key", AnswerView),
        },
        ("NotJSON", *_TAKES_MESSAGES, "RequestConflict", "InvalidInput"),
        (handlers.UPDATE_WAIT,),
        body=Body(),
        takes_key=True,
    ),
    Route(
        "GET",
        "/v1/approvals",
        handlers.list_approvals,
        "List the requests for approval that wait for a decision, the oldest first",
        {200: Answer("a page", ApprovalsView)},
        ("InvalidInput",),
        (handlers.LIMIT, handlers.PAGE),
    ),
    Route(
        "GET",
        f"{_EXECUTION}/approvals",
        handlers.list_approvals_of_execution,
        "List an execution's requests for approval",
        {200: Answer("a page", ApprovalsView)},
        ("UnknownExecution", "InvalidInput"),
        (handlers.LIMIT, handlers.PAGE),
    ),
    Route(
        "POST",
        f"{_EXECUTION}/approvals/{{name}}",
        handlers.decide,
        "Approve or reject what an execution asks for",
        {200: Answer("the workflow has heard of it", ExecutionView)},
        ("NotJSON", *_TAKES_MESSAGES, "DigestMismatch", "AlreadyDecided", "InvalidRequest", "InvalidInput"),
        body=Body(DecisionBody, required=True),
    ),
    Route(
        "POST",
        f"{_EXECUTION}/cancel",
        handlers.cancel,
        "Ask an execution to cancel itself",
        {200: _TOLD},
        ("NotJSON", "UnknownExecution", "ExecutionClosed", "InvalidRequest"),
        body=Body(ReasonBody),
    ),
    Route(
        "POST",
        f"{_EXECUTION}/terminate",
        handlers.terminate,
        "End an execution at once",
        {200: _TOLD},
        ("NotJSON", "UnknownExecution", "ExecutionClosed", "InvalidRequest"),
        body=Body(ReasonBody),
    ),
    Route(
        "POST",
        f"{_EXECUTION}/retry",
        handlers.retry,
        "Let an execution go on that has ended without a result",
        {200: _TOLD},
        ("UnknownExecution", "UnknownWorkflow", "NotRetryable", "InvalidInput"),
    ),
    Route(
        "GET",
        "/metrics",
        handlers.show_metrics,
        "The numbers of this process, for Prometheus",
        {200: Answer("in the format that the header Accept asks for", None, content_type="text/plain")},
    ),
    Route(
        "GET",
        "/openapi.json",
        handlers.show_openapi,
        "This document",
        {200: Answer("OpenAPI 3.1", None)},
    ),
)
