"""How does the API describe itself? An OpenAPI document, made of the table of routes when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from itertools import groupby
from typing import Any

import msgspec

from dormouse.runtime.parameters import IDEMPOTENCY_KEY, LONGEST_KEY, TRACEPARENT
from dormouse.runtime.refusals import REFUSALS
from dormouse.runtime.route import Answer, Body, Route
from dormouse.runtime.routes import ROUTES
from dormouse.runtime.views import RefusedView

Document = dict[str, Any]
_EVERYWHERE = [reason for reason, refusal in REFUSALS.items() if refusal.everywhere]
_SCHEMAS = "#/components/schemas/"
_NAMED_IN_PATHS = {
    "execution": "the execution's id",
    "name": "of the signal, query, update or approval, as the workflow declares it",
}


@cache
def document() -> bytes:
    """The document as JSON."""
    kinds = _kinds()
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS + "{name}")
    of_kind = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Document] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of_kind)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Dormouse", "version": version("dormouse"), "description": "A workflow's process."},
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(status): _refused(reasons) for status, reasons in _by_status(_EVERYWHERE)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "where one is asked for"}},
        },
        "security": [{"token": []}, {}],
    }
    return msgspec.json.encode(_with_public_names(components, whole)) + b"\n"


def _kinds() -> list[type[msgspec.Struct]]:
    answered = [answer.body for route in ROUTES for answer in route.answers.values() if answer.body is not None]
    carried = [route.body.kind for route in ROUTES if route.body is not None and route.body.kind is not None]
    return list(dict.fromkeys([*answered, *carried, RefusedView]))


def _operation(route: Route, of_kind: dict[type[msgspec.Struct], Document]) -> Document:
    operation: Document = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {str(status): _answered(answer, of_kind) for status, answer in route.answers.items()},
    }
    if route.body is not None:
        operation["requestBody"] = _carried(route.body, of_kind)
    if route.public:
        operation["security"] = []
    for status, reasons in _by_status([*route.refusals, *_EVERYWHERE]):
        if status == HTTPStatus.UNAUTHORIZED and route.public:
            continue
        shared = all(REFUSALS[reason].everywhere for reason in reasons)
        response = {"$ref": f"#/components/responses/{status}"} if shared else _refused(reasons)
        operation["responses"][str(status)] = response
    return operation


def _parameters(route: Route) -> list[Document]:
    found: list[Document] = [
        {"name": name, "in": "path", "required": True, "description": meaning, "schema": {"type": "string"}}
        for name, meaning in _NAMED_IN_PATHS.items()
        if f"{{{name}}}" in route.path
    ]
    found += [
        {"name": one.name, "in": "query", "description": one.meaning, "schema": one.schema} for one in route.parameters
    ]
    if route.takes_key:
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}
        meaning = "the same request with the same key is done once"
        found.append({"name": IDEMPOTENCY_KEY, "in": "header", "description": meaning, "schema": schema})
    if route.takes_trace:
        meaning = "the trace that this belongs to, as the W3C has it"
        found.append({"name": TRACEPARENT, "in": "header", "description": meaning, "schema": {"type": "string"}})
    return found


def _carried(body: Body, of_kind: dict[type[msgspec.Struct], Document]) -> Document:
    schema = {} if body.kind is None else of_kind[body.kind]
    return {"required": body.required, "content": {"application/json": {"schema": schema}}}


def _answered(answer: Answer, of_kind: dict[type[msgspec.Struct], Document]) -> Document:
    schema = {} if answer.body is None else of_kind[answer.body]
    response: Document = {"description": answer.when, "content": {answer.content_type: {"schema": schema}}}
    if answer.headers:
        headers = answer.headers.items()
        response["headers"] = {
            name: {"description": meaning, "required": True, "schema": {"type": "string"}} for name, meaning in headers
        }
    return response


def _refused(reasons: Iterable[str]) -> Document:
    when = "; ".join(f"`{reason}`: {REFUSALS[reason].when}" for reason in reasons)
    return {
        "description": when,
        "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{RefusedView.__name__}"}}},
    }


def _by_status(reasons: Iterable[str]) -> list[tuple[int, list[str]]]:
    return [(status, list(some)) for status, some in groupby(sorted(reasons, key=_status), _status)]


def _status(reason: str) -> int:
    return REFUSALS[reason].status


def _with_public_names(components: Document, document: Any) -> Any:
    """What we call ExecutionView is an Execution to everybody else."""
    public = {name: _public(name) for name in components}
    public |= {_SCHEMAS + name: _SCHEMAS + short for name, short in public.items()}

    def renamed(node: Any) -> Any:
        if isinstance(node, list):
            return [renamed(one) for one in node]
        if isinstance(node, dict):
            return {public.get(key, key): renamed(below) for key, below in node.items()}
        return public.get(node, node) if isinstance(node, str) else node

    return renamed(document)


def _public(name: str) -> str:
    return name.removesuffix("View").removesuffix("Body")
