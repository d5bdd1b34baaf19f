"""Where do two JSON values differ first? Pure."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

_BEFORE, _SHOWN = 12, 40
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Nothing(msgspec.Struct, frozen=True):
    """Stands where one of them has no such field or item."""


NOTHING = Nothing()


class Difference(NamedTuple):
    """The first one.

    Attributes:
        path: where, as `$.messages[2].content`.
        a, b: what stands there; Nothing where there is no such field or item.
    """

    path: str
    a: Any
    b: Any


def first_difference(a: Any, b: Any, path: str = "$") -> Difference | None:
    """None when they are the same: 2 and 2.0 are, 1 and true are not, and the order of fields is nothing."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            step = f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{msgspec.json.encode(name).decode()}]"
            found = first_difference(a.get(name, NOTHING), b.get(name, NOTHING), path + step)
            if found is not None:
                return found
        return None
    if isinstance(a, list) and isinstance(b, list):
        for number in range(max(len(a), len(b))):
            one, other = (side[number] if number < len(side) else NOTHING for side in (a, b))
            found = first_difference(one, other, f"{path}[{number}]")
            if found is not None:
                return found
        return None
    same = a == b and isinstance(a, bool) == isinstance(b, bool)
    return None if same else Difference(path, a, b)


def told(found: Difference) -> str:
    """For a person: where, and what stands there on both sides."""
    a, b = sides(found)
    return f"{found.path}: {a} and {b}"


def sides(found: Difference) -> tuple[str, str]:
    """What stands there on both sides, for a person: of long texts the part in which they part."""
    if isinstance(found.a, str) and isinstance(found.b, str):
        start = parts_at(found.a, found.b)
        return _quoted(found.a, start), _quoted(found.b, start)
    return _shown(found.a), _shown(found.b)


def parts_at(a: str, b: str) -> int:
    """The first character that differs."""
    return next(
        (index for index, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b))
    )


def around(text: str, index: int) -> str:
    """The part of a text in which this character stands, with dots where there is more."""
    start = 0 if len(text) <= _SHOWN else max(0, min(index - _BEFORE, len(text) - _SHOWN))
    end = start + _SHOWN
    head, tail = "..." if start else "", "..." if end < len(text) else ""
    return f"{head}{text[start + len(head) : end - len(tail)]}{tail}"


def _quoted(text: str, index: int) -> str:
    return msgspec.json.encode(around(text, index)).decode()


def _shown(value: Any) -> str:
    return "nothing" if isinstance(value, Nothing) else around(msgspec.json.encode(value).decode(), 0)
