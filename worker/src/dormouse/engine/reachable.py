"""Which code can a workflow's function run, and what does that name? Read from the bytecode; nothing runs."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, NamedTuple


class Reached(NamedTuple):
    """Some code, and the values of the names that it can see outside of itself."""

    code: CodeType
    names: Mapping[str, Any]


def code_of(function: Callable[..., Any]) -> Iterator[Reached]:
    """Of a function, of those inside of it, and of the functions of its module that they name."""
    left = [function]
    seen = set[CodeType]()
    while left:
        one = left.pop()
        if not isinstance(one, FunctionType) or one.__code__ in seen or one.__module__ != function.__module__:
            continue
        seen.add(one.__code__)
        names: Mapping[str, Any] = ChainMap(_cells(one), one.__globals__)
        for code in _nested(one.__code__):
            yield Reached(code, names)
            left += [names[name] for name in (*code.co_names, *code.co_freevars) if name in names]


def lines_below(line: int, name: str, function: Callable[..., Any]) -> set[int]:
    """The lines below this one that name an activity, a workflow or a message of this name."""
    from dis import get_instructions  # late: only for what is blocked

    return {
        one.positions.lineno
        for code, names in code_of(function)
        for one in get_instructions(code)
        if one.positions is not None and (one.positions.lineno or 0) > line and isinstance(one.argval, str)
        if one.argval == name or getattr(names.get(one.argval), "name", None) == name
        if one.positions.lineno is not None
    }


def cell_values(function: Callable[..., Any]) -> list[Any]:
    """What a function knows of the functions around it."""
    return list(_cells(function).values())


def _cells(function: Any) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # it has no value yet
            continue
    return found


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _nested(one)
