"""What may the query and the headers of a request say? Each parameter is read, and described, by one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from dormouse.engine.requests import CURSOR_PATTERN, page_begins
from dormouse.engine.tracing import parse
from dormouse.errors import InvalidInput
from dormouse.runtime.server import Request

N = TypeVar("N", bound=float)


class Parameter(Protocol):
    """A parameter of the query; `schema` is JSON Schema."""

    @property
    def name(self) -> str: ...

    @property
    def meaning(self) -> str: ...

    @property
    def schema(self) -> dict[str, object]: ...


@dataclass(frozen=True)
class Number:
    """A number from 0; one above `most` stands for `most`."""

    name: str
    default: float
    most: float
    meaning: str

    @property
    def schema(self) -> dict[str, object]:
        return {"type": "number", "minimum": 0, "default": self.default}

    def read(self, request: Request) -> float:
        return _read(request, self.name, float, self.default, self.most)


@dataclass(frozen=True)
class WholeNumber:
    """A whole number from `least`; one above `most` stands for `most`."""

    name: str
    default: int
    most: int
    meaning: str
    least: int = 0

    @property
    def schema(self) -> dict[str, object]:
        return {"type": "integer", "minimum": self.least, "default": self.default}

    def read(self, request: Request) -> int:
        return _read(request, self.name, int, self.default, self.most, self.least)


@dataclass(frozen=True)
class Text:
    """A text; `one_of` are all that it may be, unless it may be any. What it means is told by who reads it."""

    name: str
    meaning: str
    one_of: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, object]:
        return {"type": "string"} | ({"enum": list(self.one_of)} if self.one_of else {})

    def read(self, request: Request) -> str | None:
        return request.query.get(self.name)


@dataclass(frozen=True)
class Cursor:
    """Where a page begins: what the last one gave as `next`."""

    name: str
    meaning: str

    @property
    def schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^{CURSOR_PATTERN}$"}

    def read(self, request: Request) -> int | None:
        text = request.query.get(self.name)
        return None if text is None else page_begins(text)


def _read(request: Request, name: str, kind: type[N], default: N, most: N, least: int = 0) -> N:
    """Numbers are those of JSON: Python itself would take `1_000` and `nan`, too."""
    text = request.query.get(name)
    if text is None:
        return default
    what = "whole number" if kind is int else "number"
    wrong = InvalidInput(f"the query's {name} must be a {what} from {least}, not {text!r}")
    try:
        number = msgspec.json.decode(text.encode(), type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise wrong from error
    if number < least:
        raise wrong
    return min(number, most)


IDEMPOTENCY_KEY = "Idempotency-Key"
LONGEST_KEY = 255


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get(IDEMPOTENCY_KEY.lower())
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise InvalidInput(f"the header {IDEMPOTENCY_KEY} must have 1 to {LONGEST_KEY} characters")
    return key


TRACEPARENT = "traceparent"


def traceparent(request: Request) -> str | None:
    """The trace that the caller is in; what cannot be understood is no reason to refuse anything."""
    found = parse(request.headers.get(TRACEPARENT))
    return None if found is None else str(found)
