"""What does one path of the API take, and what does it answer?"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from dormouse.engine.engine import Engine
from dormouse.runtime.parameters import Parameter
from dormouse.runtime.refusals import Refused
from dormouse.runtime.server import Request, Response

if TYPE_CHECKING:
    from dormouse.runtime.drill import Drill


@dataclass(frozen=True)
class Call:
    """One request on its way to what answers it.

    Attributes:
        names: what stands in the path in place of `{...}`.
        epoch: of this life.
        running: the engine, as soon as it is there, or else why it is not.
        drill: tries out a restore, where there is something to restore from.
    """

    request: Request
    names: Mapping[str, str]
    epoch: int
    running: Engine | str
    drill: Drill | None = None

    @property
    def engine(self) -> Engine:
        """Raises Refused while there is none."""
        if isinstance(self.running, str):
            raise Refused("NotReady", self.running, ("retry-after", "1"))
        return self.running

    @property
    def execution_id(self) -> str:
        return self.names["execution"]

    @property
    def name(self) -> str:
        return self.names["name"]


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True)
class Answer:
    """A success: when it is given, and the type of its body; None is anything of the content type."""

    when: str
    body: type[msgspec.Struct] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Body:
    """What a request carries; without a type it is any JSON value."""

    kind: type[msgspec.Struct] | None = None
    required: bool = False


@dataclass(frozen=True)
class Route:
    """One method of one path.

    Attributes:
        path: with `{execution}` or `{name}` for what differs.
        refusals: the reasons that only this path, or not every path, gives.
        takes_key: whether it knows the header `Idempotency-Key`.
        takes_trace: whether it knows the header `traceparent`.
        public: whether it asks for no token.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, Answer]
    refusals: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    takes_key: bool = False
    takes_trace: bool = False
    public: bool = False

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))

    def match(self, path: str) -> dict[str, str] | None:
        """The names in a path that is of this kind."""
        found = self._pattern.fullmatch(path)
        return None if found is None else {name: unquote(text) for name, text in found.groupdict().items()}

    def check_query(self, request: Request) -> None:
        """Raises Refused: a parameter that is not known is not ignored, since it may be misspelt."""
        known = [one.name for one in self.parameters]
        unknown = ", ".join(sorted(request.query.keys() - set(known)))
        if unknown:
            there_are = ", ".join(sorted(known)) or "none"
            message = f"the query has {unknown}; the parameters of this path are: {there_are}"
            raise Refused("UnknownParameter", message)


def json_response(status: int, value: Any, *headers: tuple[str, str]) -> Response:
    return Response(status, msgspec.json.encode(value) + b"\n", headers)
