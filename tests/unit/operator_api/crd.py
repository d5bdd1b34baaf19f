"""Would an API server with our CRDs take this object? Its schema by jsonschema, its rules by CEL."""

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import celpy
import jsonschema
import yaml
from celpy.adapter import json_to_cel

_FOLDER = Path(__file__).parents[3] / "crds"
_FILES = {"DurableWorkflow": "durableworkflows.yaml", "ObjectStore": "objectstores.yaml"}


@cache
def definition(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_FOLDER / _FILES[kind]).read_text())
    return found


def schema(kind: str) -> dict[str, Any]:
    (version,) = definition(kind)["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def refusals(kind: str, document: Any, old: Any = None) -> list[str]:
    """Everything that the API server would say, with strict field validation; empty when it takes it."""
    if not isinstance(document, dict):
        return ["not a mapping"]
    whole = schema(kind)
    filled = _fill(whole, copy.deepcopy(document))
    # An identity is the API server's own business; the CRD does not repeat it.
    said = [f"{name}: required" for name in ("apiVersion", "kind", "metadata") if name not in document]
    said += [] if document.get("kind") == kind else ["kind: another"]
    said += [] if document.get("apiVersion") == "dormouse.dev/v1alpha1" else ["apiVersion: another"]
    said += [] if (document.get("metadata") or {}).get("name") else ["metadata.name: required"]
    said += [error.message for error in jsonschema.Draft7Validator(_strict(whole)).iter_errors(filled)]
    if not said:
        before = None if old is None else _fill(whole, copy.deepcopy(old))
        said = [message for message, holds in _rules(whole, filled, before) if not holds]
    return said


def rules(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, str]]:
    """Every (path, rule, message) of a schema."""
    for rule in part.get("x-kubernetes-validations", ()):
        yield path, rule["rule"], rule["message"]
    for name, inner in part.get("properties", {}).items():
        yield from rules(inner, f"{path}.{name}".lstrip("."))


def _rules(part: dict[str, Any], value: Any, old: Any) -> Iterator[tuple[str, bool]]:
    for rule in part.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"]:
            if old is None:
                continue
            yield rule["message"], _evaluate(rule["rule"], self=value, oldSelf=old)
        else:
            yield rule["message"], _evaluate(rule["rule"], self=value)
    for name, inner in part.get("properties", {}).items():
        if name in value:
            yield from _rules(inner, value[name], old.get(name) if isinstance(old, dict) else None)


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule))


def _evaluate(rule: str, **values: Any) -> bool:
    return bool(_program(rule).evaluate({name: json_to_cel(value) for name, value in values.items()}))


def _fill(part: dict[str, Any], value: Any) -> Any:
    """Defaults, and nulls dropped where there is one, as structural defaulting does it."""
    if not isinstance(value, dict):
        return value
    for name, inner in part.get("properties", {}).items():
        if name in value and value[name] is None and "default" in inner and not inner.get("nullable"):
            del value[name]
        if name not in value and "default" in inner:
            value[name] = inner["default"]
        if name in value:
            value[name] = _fill(inner, value[name])
    return value


def _strict(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("nullable"):
        return {}
    made = {key: value for key, value in part.items() if not key.startswith("x-kubernetes-")}
    if "properties" in part:
        made["properties"] = {name: _strict(inner) for name, inner in part["properties"].items()}
        made["additionalProperties"] = bool(part.get("x-kubernetes-preserve-unknown-fields"))
    if "items" in part:
        made["items"] = _strict(part["items"])
    return made
