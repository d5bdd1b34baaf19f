"""Do a function's annotations have a JSON form? Asked when it is declared, not after its effect. Pure."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import inspect as described

from dormouse.engine.payload import decoder, takes_plain
from dormouse.errors import InvalidDefinition

_NOTHING_COMES_BACK = (typing.NoReturn, typing.Never)
_REMEDY = "annotate with dataclasses, msgspec Structs, Pydantic models or plain types, and pass those"


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The function's annotations as types."""
    hints = typing.get_type_hints(function, include_extras=True)
    if hints.get("return") in _NOTHING_COMES_BACK:
        hints["return"] = None
    return hints


def refuse_unwritable(kind: str, function: Callable[..., Any], but: str | None = None) -> None:
    """Look at each annotation.

    Args:
        kind: `activity`, `transaction` or `workflow`.
        function: what is declared.
        but: a parameter that is not part of what is written.

    Raises:
        InvalidDefinition: naming function, parameter and remedy.
        NameError: when an annotation names what is not defined, or not yet.
    """
    for name, hint in hints_of(function).items():
        problem = None if name == but else _problem(hint)
        if problem is not None:
            where = "its result" if name == "return" else f"its parameter {name!r}"
            raise InvalidDefinition(
                f"the {kind} {function.__name__}: {where} is annotated with {_shown(hint)}, but {problem}; {_REMEDY}"
            )


def _problem(hint: Any) -> str | None:
    try:
        decoder(hint)
        kinds = described.type_info(hint)
    except (TypeError, ValueError) as error:
        return f"JSON cannot tell what that is: {error}"
    for one, path in _custom(kinds, "", set()):
        if not takes_plain(one):
            return f"{_shown(one)} has no JSON form" + (f" - at `${path}`" if path else "")
    return None


def _custom(node: Any, path: str, seen: set[int]) -> Iterator[tuple[Any, str]]:
    """The classes inside of a type that msgspec does not know, each with the fields that lead to it."""
    if isinstance(node, described.CustomType):
        yield node.cls, path
    elif isinstance(node, tuple):
        for part in node:
            yield from _custom(part, path, seen)
    elif isinstance(node, described.Type | described.Field) and id(node) not in seen:
        seen.add(id(node))
        here = f"{path}.{node.name}" if isinstance(node, described.Field) else path
        for name in node.__struct_fields__:
            value = getattr(node, name)
            if isinstance(value, described.Type | described.Field | tuple):
                yield from _custom(value, here, seen)


def _shown(kind: Any) -> str:
    return str(getattr(kind, "__qualname__", kind))
