"""How does the runtime answer a request? Finds the route, and makes an answer of whatever goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dormouse.engine.engine import Engine
from dormouse.errors import DormouseError
from dormouse.runtime.access import TokenFile
from dormouse.runtime.refusals import Refused, answer_of
from dormouse.runtime.route import Call, Route
from dormouse.runtime.routes import ROUTES
from dormouse.runtime.server import Request, Response

if TYPE_CHECKING:
    from dormouse.runtime.drill import Drill

_PUBLIC = frozenset(route.path for route in ROUTES if route.public)


class Api:
    """Answers requests; until the engine is there, most of them with 503.

    Attributes:
        tokens: who may ask; without them everybody.
        drill: tries out a restore, where there is something to restore from.
    """

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self.tokens: TokenFile | None = None
        self.engine: Engine | None = None
        self.drill: Drill | None = None
        self.not_ready = "the database is being restored"

    async def answer(self, request: Request) -> Response:
        """Never raises: whatever is wrong becomes an answer that says what to do."""
        try:
            if self.tokens is not None and request.path not in _PUBLIC:
                self.tokens.check(request)
            route, names = _find(request)
            route.check_query(request)
            return await route.handler(Call(request, names, self._epoch, self.engine or self.not_ready, self.drill))
        except (Refused, DormouseError) as error:
            return answer_of(error)


def _find(request: Request) -> tuple[Route, dict[str, str]]:
    method = "GET" if request.method == "HEAD" else request.method
    others = []
    for route in ROUTES:
        names = route.match(request.path)
        if names is None:
            continue
        if route.method == method:
            return route, names
        others.append(route.method)
    if others:
        allowed = ", ".join(others)
        raise Refused("MethodNotAllowed", f"{request.path} takes {allowed}", ("allow", allowed))
    raise Refused("UnknownPath", f"there is no {request.path}; /openapi.json tells which paths there are")
