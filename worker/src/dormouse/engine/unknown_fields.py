"""Which field of an input does the workflow's type not know? A typo beside a default must not pass. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect as described

_OBJECTS = (described.StructType, described.DataclassType, described.TypedDictType)
_LISTS = (
    described.ListType,
    described.SetType,
    described.FrozenSetType,
    described.VarTupleType,
)


def refuse_unknown_fields(kind: Any, payload: bytes) -> None:
    """Walk through the input beside its type.

    Pydantic's models decide for themselves, by `extra`.

    Raises:
        msgspec.ValidationError: naming the field by its path, and the one that may have been meant.
    """
    for path, name, known in _unknown(described.type_info(kind), msgspec.json.decode(payload), "$"):
        raise msgspec.ValidationError(f"unknown field `{path}.{name}`{_instead(name, known)}")


def with_fields(kind: Any, error: msgspec.DecodeError) -> str:
    """What was wrong with a value; of one that is no object at all also which fields it should have."""
    if kind in (None, type(None)):
        return "it carries none; leave the value out"
    text, wanted = str(error), described.type_info(kind)
    if not text.startswith("Expected `object`") or " - at " in text or not isinstance(wanted, _OBJECTS):
        return text
    return f"{text}; {wanted.cls.__name__} has the fields {', '.join(one.encode_name for one in wanted.fields)}"


def _unknown(kind: described.Type, value: Any, path: str) -> Iterator[tuple[str, str, list[str]]]:
    if isinstance(kind, described.UnionType):
        for one in _candidates(kind.types, value):
            yield from _unknown(one, value, path)
    elif isinstance(value, dict):
        yield from _unknown_in_object(kind, value, path)
    elif isinstance(value, list):
        for number, (one, item) in enumerate(_items(kind, value)):
            yield from _unknown(one, item, f"{path}[{number}]")


def _unknown_in_object(kind: described.Type, value: dict[str, Any], path: str) -> Iterator[tuple[str, str, list[str]]]:
    if isinstance(kind, described.DictType):
        for name, item in value.items():
            yield from _unknown(kind.value_type, item, f"{path}[{name!r}]")
        return
    if not isinstance(kind, _OBJECTS):
        return
    known = {field.encode_name: field.type for field in kind.fields}
    tag = kind.tag_field if isinstance(kind, described.StructType) else None
    for name, item in value.items():
        if name in known:
            yield from _unknown(known[name], item, f"{path}.{name}")
        elif name != tag:
            yield path, name, list(known)


def _items(kind: described.Type, values: list[Any]) -> Iterable[tuple[described.Type, Any]]:
    if isinstance(kind, _LISTS):
        return ((kind.item_type, value) for value in values)
    if isinstance(kind, described.TupleType):
        return zip(kind.item_types, values, strict=False)
    if isinstance(kind, described.NamedTupleType) or (isinstance(kind, described.StructType) and kind.array_like):
        tags = int(isinstance(kind, described.StructType) and kind.tag_field is not None)
        return zip((field.type for field in kind.fields), values[tags:], strict=False)
    return ()


def _candidates(kinds: Iterable[described.Type], value: Any) -> Iterable[described.Type]:
    """The members of a union that a value can be; msgspec allows one of each shape, or several with tags."""
    return (kind for kind in kinds if not isinstance(kind, described.StructType) or _has_tag(kind, value))


def _has_tag(kind: described.StructType, value: Any) -> bool:
    if kind.tag_field is None:
        return True
    if isinstance(value, dict):
        return bool(value.get(kind.tag_field) == kind.tag)
    return kind.array_like and isinstance(value, list) and value[:1] == [kind.tag]


def _instead(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    for near in get_close_matches(name, known, n=1):
        return f"; did you mean `{near}`?"
    return f"; there are: {', '.join(known) or 'none'}"
