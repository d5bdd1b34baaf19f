"""Which part of a value has no JSON form? Asked only once a value was refused. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

REFUSALS = (TypeError, ValueError, RecursionError)
"""How encoders refuse: a type without a JSON form, a text or a model that cannot be written, a list in itself."""
_MOST_LEVELS = 30


def refusal(value: Any, refused: Exception, encode: Callable[[Any], object]) -> TypeError:
    """The refusal of a value with the path of the innermost part that is refused by itself."""
    path = ""
    for _ in range(_MOST_LEVELS):
        found = next(_refused_parts(value, encode), None)
        if found is None or isinstance(refused, RecursionError):
            break
        step, value, refused = found
        path += step
    what = "it is nested too deeply, or in itself" if isinstance(refused, RecursionError) else str(refused)
    return TypeError(f"{what} - at `${path}`" if path else what)


def _refused_parts(value: Any, encode: Callable[[Any], object]) -> Iterator[tuple[str, Any, Exception]]:
    for step, part in _parts(value):
        try:
            encode(part)
        except REFUSALS as error:
            yield step, part, error


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value holds, each with its step in a path."""
    if isinstance(value, dict):
        yield from ((f".{key}" if isinstance(key, str) else f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{number}]", part) for number, part in enumerate(value))
    else:
        yield from ((f".{name}", getattr(value, name, None)) for name in _fields(value))


def _fields(value: Any) -> list[str]:
    kind = type(value)
    if issubclass(kind, msgspec.Struct):
        return list(kind.__struct_fields__)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return list(getattr(kind, "model_fields", ()))
