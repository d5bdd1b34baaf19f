"""How does the API answer each request? Reads it, asks the engine, shows what came of it."""

from __future__ import annotations

import asyncio
from importlib import import_module
from secrets import token_hex

import msgspec

from dormouse.engine.decision import Verdict
from dormouse.engine.ending import Status
from dormouse.engine.listing import wanted
from dormouse.errors import AnswerFailed, ExecutionBlocked, InvalidInput
from dormouse.keeper.client import KeeperError
from dormouse.runtime.bodies import DecisionBody, ReasonBody, StartBody, canonical, read_body, read_value
from dormouse.runtime.parameters import Cursor, Number, Text, WholeNumber, idempotency_key, traceparent
from dormouse.runtime.refusals import Refused
from dormouse.runtime.route import Call, json_response
from dormouse.runtime.server import Response
from dormouse.runtime.views import (
    AnswerView,
    ErrorView,
    EventsView,
    HealthView,
    ResumedView,
    approvals_view,
    event_view,
    execution_view,
    executions_view,
    status_view,
)

_LONGEST_WAIT_SECONDS = 300.0
_MOST_LISTED = 1000
LIMIT = WholeNumber("limit", 100, _MOST_LISTED, f"at most so many, and never more than {_MOST_LISTED}", least=1)
STATUS = Text("status", "only those that have it", tuple(Status))
WORKFLOW = Text("workflow", "only those of the workflow with this name")
PAGE = Cursor("after", "the `next` of the last page")
EVENTS_LIMIT = WholeNumber("limit", _MOST_LISTED, _MOST_LISTED, f"at most so many, and never more than {_MOST_LISTED}")
EVENTS_AFTER = WholeNumber("after", 0, 2**62, "the `position` of the last event that is known")
RESULT_WAIT = Number("wait", 0, _LONGEST_WAIT_SECONDS, "hold the answer back for so many seconds, at most 300")
UPDATE_WAIT = Number("wait", _LONGEST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, RESULT_WAIT.meaning)


# The process.


async def is_healthy(call: Call) -> Response:  # noqa: ARG001 - who is asked is well
    return json_response(200, HealthView())


async def is_ready(call: Call) -> Response:
    call.engine  # noqa: B018 - refused while there is none
    return json_response(200, HealthView())


async def show_status(call: Call) -> Response:
    return json_response(200, status_view(call.epoch, call.engine.standing()))


async def show_metrics(call: Call) -> Response:
    engine = call.engine
    # Only the first scrape pays for it, and the loop goes on meanwhile.
    metrics = await asyncio.to_thread(import_module, "dormouse.runtime.metrics")
    drilled = None if call.drill is None else call.drill.last
    accept = call.request.headers.get("accept", "")
    body, content_type = metrics.exposition(engine, call.epoch, accept, drilled)
    return Response(200, body, content_type=content_type)


async def show_openapi(call: Call) -> Response:  # noqa: ARG001 - the same for everybody
    from dormouse.runtime.openapi import document  # only when it is asked for

    return Response(200, document())


# Executions.


async def start(call: Call) -> Response:
    wanted = read_body(StartBody, call.request.body)
    payload = None if wanted.input is msgspec.UNSET else canonical(bytes(wanted.input))
    key, trace = idempotency_key(call.request), traceparent(call.request)
    engine = call.engine
    handle = await engine.start_encoded(
        wanted.workflow, payload, execution_id=wanted.id, idempotency_key=key, traceparent=trace
    )
    view = execution_view(engine.read.describe(handle.id))
    return json_response(201 if handle.created else 200, view, ("location", f"/v1/executions/{handle.id}"))


async def list_executions(call: Call) -> Response:
    limit, before = LIMIT.read(call.request), PAGE.read(call.request)
    asked = wanted(STATUS.read(call.request), WORKFLOW.read(call.request))
    rows = call.engine.read.describe_newest(limit + 1, asked, before=before)
    return json_response(200, executions_view(rows, limit))


async def show(call: Call) -> Response:
    read = call.engine.read
    row = read.describe(call.execution_id)
    waiting = read.waits_for(row.id) if row.status == Status.OPEN else None
    return json_response(200, execution_view(row, read.ending(row), waiting))


async def show_result(call: Call) -> Response:
    wait, engine, execution_id = RESULT_WAIT.read(call.request), call.engine, call.execution_id
    if not engine.read.describe(execution_id).status.closed:
        try:
            async with asyncio.timeout(wait):
                await engine.outcome(execution_id)
        except (TimeoutError, ExecutionBlocked):
            return json_response(202, execution_view(engine.read.describe(execution_id)))
    row, event = await engine.outcome(execution_id)
    return json_response(200, execution_view(row, event, with_result=True))


async def list_events(call: Call) -> Response:
    limit, after = EVENTS_LIMIT.read(call.request), EVENTS_AFTER.read(call.request)
    events = call.engine.read.history(call.execution_id, after=after, limit=limit)
    return json_response(200, EventsView([event_view(event) for event in events]))


# Messages.


async def send_signal(call: Call) -> Response:
    value, key = read_value(call.request), idempotency_key(call.request)
    await (await call.engine.control()).signal(call.execution_id, call.name, value, key)
    return _as_it_stands(call)


async def ask_query(call: Call) -> Response:
    try:
        result = await (await call.engine.control()).query(call.execution_id, call.name)
    except AnswerFailed as failed:
        return _failed(failed)
    return json_response(200, AnswerView(msgspec.Raw(result)))


async def send_update(call: Call) -> Response:
    wait, value = UPDATE_WAIT.read(call.request), read_value(call.request)
    key = idempotency_key(call.request) or token_hex(16)
    control = await call.engine.control()
    try:
        async with asyncio.timeout(wait):
            result = await control.update(call.execution_id, call.name, value, key)
    except TimeoutError:
        return json_response(202, AnswerView(idempotency_key=key))
    except AnswerFailed as failed:
        return _failed(failed)
    return json_response(200, AnswerView(msgspec.Raw(result)))


def _failed(failed: AnswerFailed) -> Response:
    return json_response(200, AnswerView(error=ErrorView(failed.cause_type, failed.cause_message)))


# Approvals.


async def list_approvals(call: Call) -> Response:
    limit, after = LIMIT.read(call.request), PAGE.read(call.request) or 0
    found = call.engine.read.approvals(limit + 1, after=after, execution_id=call.names.get("execution"))
    return json_response(200, approvals_view(found, limit))


async def list_approvals_of_execution(call: Call) -> Response:
    return await list_approvals(call)


async def decide(call: Call) -> Response:
    body = read_body(DecisionBody, call.request.body)
    verdict = Verdict("approved" if body.decision == "approve" else "rejected", body.by, body.reason)
    control = await call.engine.control()
    await control.approvals.decide(call.execution_id, call.name, body.digest, verdict)
    return _as_it_stands(call)


# Ends, and the way back.


async def cancel(call: Call) -> Response:
    await (await call.engine.control()).cancel(call.execution_id, _reason(call))
    return _as_it_stands(call)


async def terminate(call: Call) -> Response:
    await (await call.engine.control()).terminate(call.execution_id, _reason(call))
    return _as_it_stands(call)


async def retry(call: Call) -> Response:
    if call.request.body:
        raise InvalidInput("a retry takes no body")
    await (await call.engine.control()).retry(call.execution_id)
    return _as_it_stands(call)


async def resume(call: Call) -> Response:
    if call.request.body:
        raise InvalidInput("to resume takes no body")
    await call.engine.resume_one(call.execution_id)
    return _as_it_stands(call)


async def resume_all(call: Call) -> Response:
    if call.request.body:
        raise InvalidInput("to resume takes no body")
    return json_response(200, ResumedView(await call.engine.resume()))


async def drill(call: Call) -> Response:
    if call.request.body:
        raise InvalidInput("a drill takes no body")
    call.engine  # noqa: B018 - refused while there is none
    if call.drill is None:
        raise Refused("NotDrilled", "this runtime's file is replicated nowhere, so there is nothing to restore from")
    try:
        return json_response(200, await call.drill())
    except KeeperError as error:
        raise Refused("NotDrilled", str(error)) from error


def _reason(call: Call) -> str:
    return read_body(ReasonBody, call.request.body or b"{}").reason


def _as_it_stands(call: Call) -> Response:
    return json_response(200, execution_view(call.engine.read.describe(call.execution_id)))
