"""Is this document one of ours, and if not, what is wrong with it?"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache
from math import isfinite
from typing import Any, cast, get_args

import msgspec

from dormouse_operator.api.durableworkflow import DurableWorkflow
from dormouse_operator.api.invalid import InvalidManifest, did_you_mean
from dormouse_operator.api.nesting import DEEPEST, too_deep
from dormouse_operator.api.objectstore import ObjectStore
from dormouse_operator.api.rules import RULES, value_at

API_VERSION = "dormouse.dev/v1alpha1"
_KINDS: dict[str, type[DurableWorkflow | ObjectStore]] = {
    "DurableWorkflow": DurableWorkflow,
    "ObjectStore": ObjectStore,
}
Thing = DurableWorkflow | ObjectStore


def parse(document: object) -> Thing:
    """The typed object of a YAML or JSON document, with defaults; InvalidManifest names path and remedy."""
    return _named(document, lambda plain, kind: _obeying(_typed(plain, kind), kind))


def read(document: object) -> Thing:
    """One that the API server holds: it obeyed the rules of its day, and a rule that came later must not orphan it.

    It is JSON already, so what nobody would take away first is not looked for. InvalidManifest as from `parse`.
    """
    if isinstance(document, dict) and document.get("apiVersion") == API_VERSION:
        wanted = _KINDS.get(str(document.get("kind")))
        if wanted is not None:
            with suppress(msgspec.ValidationError):  # told below, or it has nulls, which go there
                return msgspec.convert(document, wanted)
    return _named(document, _typed)


def _named(document: object, made: Callable[[dict[Any, Any], str], Thing]) -> Thing:
    if not isinstance(document, dict):
        raise InvalidManifest("", f"a manifest is a mapping, not {_say(document)}")
    kind, name = _identity(document)
    try:
        return made(document, kind)
    except InvalidManifest as error:
        raise error.of(kind, name) from None


def to_document(thing: Thing) -> dict[str, Any]:
    """The document again, defaults left out."""
    return cast("dict[str, Any]", msgspec.to_builtins(thing))


def _identity(document: dict[Any, Any]) -> tuple[str, str]:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return str(document.get("kind") or ""), str(name or "")


def _typed(document: dict[Any, Any], kind: str) -> Thing:
    version = document.get("apiVersion")
    if version != API_VERSION:
        raise InvalidManifest("apiVersion", f"is {version!r}", f"write `{API_VERSION}`")
    if kind not in _KINDS:
        raise InvalidManifest("kind", f"is {document.get('kind')!r}", did_you_mean(kind, tuple(_KINDS)))
    wanted = _KINDS[kind]
    plain = _without_nulls(_as_json(document, ""), wanted, "")
    try:
        return msgspec.convert(plain, wanted)
    except msgspec.ValidationError as error:
        raise _explain(str(error), wanted) from None


def _obeying(thing: Thing, kind: str) -> Thing:
    for rule in RULES[kind]:
        value = value_at(thing, rule.path)
        if value not in (None, "") and not rule.holds(value):
            raise InvalidManifest(rule.path, rule.message)
    return thing


def _as_json(value: Any, path: str, depth: int = 0) -> Any:
    """YAML can say more than JSON: what an API server would not take is refused or written as text."""
    if depth > DEEPEST:
        raise too_deep(path)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise InvalidManifest(path, f"has the key {key!r}, which is not text", "put it in quotes")
        return {key: _as_json(item, f"{path}.{key}".lstrip("."), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, date):  # datetime too; an API server keeps the text
        return value.isoformat()
    if isinstance(value, float) and not isfinite(value):
        raise InvalidManifest(path, f"is {value}, which JSON cannot say", "write it as text")
    if value is None or isinstance(value, str | int | float):
        return value
    raise InvalidManifest(path, f"is {_say(value)}, which JSON cannot say", "write it as text")


def _without_nulls(document: Any, wanted: type[msgspec.Struct], path: str) -> Any:
    """An empty field is as good as absent when it has a default, and an error when it has none."""
    if not isinstance(document, dict):
        return document
    kept = dict(document)
    for field in _fields_of(wanted):
        if field.encode_name not in document or field.type is Any:
            continue
        here = f"{path}.{field.encode_name}".lstrip(".")
        value = document[field.encode_name]
        inner = _struct_of(field.type)
        if value is None:
            if field.default in (None, "", msgspec.NODEFAULT) and not here.startswith(("metadata", "status")):
                raise InvalidManifest(here, "is empty", "give it a value or remove the line")
            if not field.required:
                del kept[field.encode_name]
        elif inner is not None:
            kept[field.encode_name] = _without_nulls(value, inner, here)
    return kept


@cache
def _fields_of(wanted: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """To find them out anew takes longer than to read a document."""
    return msgspec.structs.fields(wanted)


@cache
def _struct_of(hint: Any) -> type[msgspec.Struct] | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next((inner for inner in map(_struct_of, get_args(hint)) if inner is not None), None)


def _explain(told: str, wanted: type[msgspec.Struct]) -> InvalidManifest:
    """msgspec's words as ours: the path in the API's own notation, and the remedy."""
    said, _, where = told.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    if match := re.fullmatch(r"Object contains unknown field `(.*)`", said):
        known = _fields_at(wanted, path)
        return InvalidManifest(_join(path, match[1]), "unknown field", did_you_mean(match[1], known))
    if match := re.fullmatch(r"Object missing required field `(.*)`", said):
        return InvalidManifest(_join(path, match[1]), "is required", "add it")
    if match := re.fullmatch(r"Expected `([^`]*)`, got `([^`]*)`", said):
        return InvalidManifest(path, f"must be {_words(match[1])}", f"it is {_words(match[2])} now")
    if match := re.fullmatch(r"Expected `int` (>=|<=) (\S+)", said):
        return InvalidManifest(path, f"must be {_BOUNDS[match[1]]} {match[2]}")
    if match := re.fullmatch(r"Expected `str` of length (>=|<=) (\d+)", said):
        return InvalidManifest(path, f"must have {_BOUNDS[match[1]]} {match[2]} characters")
    if match := re.fullmatch(r"Expected `array` of length (>=|<=) (\d+)", said):
        return InvalidManifest(path, f"must have {_BOUNDS[match[1]]} {match[2]} items")
    if match := re.fullmatch(r"Invalid enum value '(.*)'", said):
        parent, _, last = path.rpartition(".")
        values = _choices_at(wanted, parent, last)
        return InvalidManifest(path, f"is `{match[1]}`, must be one of {', '.join(values)}")
    return InvalidManifest(path, said)


_BOUNDS = {">=": "at least", "<=": "at most"}
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "empty",
}


def _words(types: str) -> str:
    kinds = types.split(" | ")
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds if kind != "null" or len(kinds) == 1)


def _say(value: object) -> str:
    known = {dict: "a mapping", list: "a list", str: "text", type(None): "empty"}
    return known.get(type(value), f"of type {type(value).__name__}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _at(wanted: type[msgspec.Struct], path: str) -> type[msgspec.Struct] | None:
    found: type[msgspec.Struct] | None = wanted
    for part in filter(None, re.sub(r"\[[^]]*]", "", path).split(".")):
        if found is None:
            return None
        hints = {field.encode_name: field.type for field in msgspec.structs.fields(found)}
        found = _struct_of(hints.get(part))
    return found


def _fields_at(wanted: type[msgspec.Struct], path: str) -> tuple[str, ...]:
    found = _at(wanted, path)
    return found.__struct_encode_fields__ if found is not None else ()


def _choices_at(wanted: type[msgspec.Struct], parent: str, name: str) -> tuple[str, ...]:
    found = _at(wanted, parent)
    if found is None:
        return ()
    hints = {field.encode_name: field.type for field in msgspec.structs.fields(found)}
    return tuple(f"`{choice}`" for choice in _literals(hints.get(name)))


def _literals(hint: Any) -> tuple[str, ...]:
    found: list[str] = []
    for argument in get_args(hint):
        found.extend([argument] if isinstance(argument, str) else _literals(argument))
    return tuple(found)
