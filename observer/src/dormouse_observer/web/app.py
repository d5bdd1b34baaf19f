"""Which page does a request get? Starlette's routes, and what every answer carries so that nothing in it can act."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dormouse.errors import CannotDecode, DormouseError, InvalidInput, UnknownExecution
from dormouse_observer.contents import is_redacted
from dormouse_observer.web.agent_page import agent_page, is_agent
from dormouse_observer.web.event_page import event_page
from dormouse_observer.web.files import files_row
from dormouse_observer.web.following import changes
from dormouse_observer.web.library import Library
from dormouse_observer.web.listing import FIELDS, check_names, filters_of, number
from dormouse_observer.web.pages import ListPage, execution_page, lineage, list_page, shown
from dormouse_observer.web.prices import PriceList
from dormouse_observer.web.reader import DAMAGED
from dormouse_observer.web.render import STATIC, Renderer
from dormouse_observer.web.security import Secured
from dormouse_observer.web.waiting import Commands

HOSTS = ["127.0.0.1", "localhost", "[::1]"]
"""What a browser may call this server: another name is somebody else's that was pointed here."""
THEMES = ("light", "dark")
_COOKIE = "dormouse-theme"
_YEAR_SECONDS = 365 * 86400

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class _At:
    """The file that a request is about, how it looked then, and where its pages are."""

    number: int
    seen: str
    base: str
    name: str
    names: Commands


@dataclass(frozen=True)
class _Follows:
    """Where a page hears of changes, and how what it shows looked when it was read."""

    path: str
    seen: str


class Pages:
    """Answers requests, one after the other: there is one reader, and files are read in milliseconds."""

    def __init__(self, library: Library, prices: PriceList | None = None) -> None:
        self._library = library
        self._prices = prices
        self._renderer = Renderer()
        self._many = len(library.paths) > 1
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Let go of the browsers that wait for changes."""
        self._ended.set()

    def app(self) -> Starlette:
        """The application."""
        prefix = "/files/{file:int}" if self._many else ""
        execution = f"{prefix}/executions/{{id}}"
        routes = [
            Route(prefix or "/", self.executions),
            Route(f"{prefix}/changes", self.changes),
            Route(execution, self.execution),
            Route(f"{execution}/agent", self.agent),
            Route(f"{execution}/events/{{position:int}}", self.event),
            Route(f"{execution}/events/{{position:int}}/raw", self.raw),
            Route("/theme", self.theme),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        if self._many:
            routes += [Route("/", self.files), Route("/changes", self.changes)]
        failures: Mapping[Any, Any] = {
            HTTPException: self._http_error,
            UnknownExecution: self._refused(HTTPStatus.NOT_FOUND),
            InvalidInput: self._refused(HTTPStatus.BAD_REQUEST),
            CannotDecode: self._refused(HTTPStatus.FORBIDDEN),
            DormouseError: self._refused(HTTPStatus.INTERNAL_SERVER_ERROR),
            **dict.fromkeys(DAMAGED, self._damaged),
        }
        guards = [Middleware(Secured), Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)]
        return Starlette(routes=routes, middleware=guards, exception_handlers=failures)

    # Pages.

    async def files(self, request: Request) -> Response:
        """The files, where there are several."""
        check_names(request.query_params)
        follows = _Follows("/changes", self._library.look())
        rows = [files_row(self._library, number) for number in range(len(self._library.paths))]
        return self._page(request, "files.html", rows=rows, follows=follows)

    async def executions(self, request: Request) -> Response:
        """The executions of a file."""
        at = self._at(request)
        check_names(request.query_params, *FIELDS)
        filters = filters_of(request.query_params)
        with self._library.reading(at.number) as file:
            page: ListPage = list_page(file, filters, at.names)
            tables = file.tables()
            origin = lineage(self._library.manifest(at.number), file.forks)
        return self._page(request, "executions.html", at, page=page, tables=tables, lineage=origin)

    async def execution(self, request: Request) -> Response:
        """One execution."""
        at = self._at(request)
        query = request.query_params
        check_names(query, "events", "calls", "count")
        with self._library.reading(at.number) as file:
            row = file.one(request.path_params["id"])
            page = execution_page(
                file,
                row,
                at.names,
                events=number(query, "events"),
                calls=number(query, "calls"),
                count=number(query, "count"),
            )
            talks = is_agent(file, row)
            origin = lineage(self._library.manifest(at.number), file.forks)
        return self._page(
            request,
            "execution.html",
            at,
            tab="execution",
            is_agent=talks,
            page=page,
            lineage=origin,
        )

    async def agent(self, request: Request) -> Response:
        """The same execution as the conversation of an agent."""
        at = self._at(request)
        check_names(request.query_params, "calls")
        first = number(request.query_params, "calls")
        with self._library.reading(at.number) as file:
            page = agent_page(file, file.one(request.path_params["id"]), at.names, first, self._prices)
        return self._page(request, "agent.html", at, page=page, tab="agent", is_agent=True)

    async def event(self, request: Request) -> Response:
        """One event; for htmx its payload alone."""
        at = self._at(request)
        check_names(request.query_params)
        with self._library.reading(at.number) as file:
            row = file.one(request.path_params["id"])
            position = request.path_params["position"]
            if request.headers.get("hx-request") == "true":
                payload = shown(file, file.event_at(row, position).position)
                return self._page(request, "payload.html", at, row=row, shown=payload)
            page = event_page(file, row, position, at.names)
        return self._page(request, "event.html", at, page=page)

    async def raw(self, request: Request) -> Response:
        """A payload as it is, to be saved: a browser is not to look what it might be."""
        at = self._at(request)
        check_names(request.query_params)
        with self._library.reading(at.number) as file:
            row = file.one(request.path_params["id"])
            entry = file.event_at(row, request.path_params["position"])
            payload = file.payload(entry.position)
        if payload is None:
            raise UnknownExecution(f"the event at the position {entry.position} has no payload")
        saved = {"content-disposition": f'attachment; filename="event-{entry.position}.json"'}
        return Response(payload, media_type="application/json", headers=saved)

    async def changes(self, request: Request) -> Response:
        """Tell a page when its file, or on the list of files any of them, has changed since it saw it."""
        check_names(request.query_params, "seen")
        is_of_one = "file" in request.path_params or not self._many
        number = self._number(request) if is_of_one else None
        seen = request.query_params.get("seen", self._library.look(number))
        told = changes(lambda: self._library.look(number), seen, self._ended)
        return StreamingResponse(told, media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def theme(self, request: Request) -> Response:
        """Remember light or dark, and go back to the page."""
        check_names(request.query_params, "to", "back")
        wanted = request.query_params.get("to", "")
        if wanted not in THEMES:
            raise InvalidInput(f"`to` is one of {', '.join(THEMES)}, not {wanted[:40]!r}")
        answer = RedirectResponse(_own_path(request.query_params.get("back", "")), HTTPStatus.SEE_OTHER)
        answer.set_cookie(_COOKIE, wanted, max_age=_YEAR_SECONDS, httponly=True, samesite="strict")
        return answer

    # What they have in common.

    def _number(self, request: Request) -> int:
        number = int(request.path_params.get("file", 0))
        if not 0 <= number < len(self._library.paths):
            raise UnknownExecution(f"there is no file number {number}; the first page shows which there are")
        return number

    def _at(self, request: Request) -> _At:
        file_number = self._number(request)
        path = self._library.paths[file_number]
        manifest = self._library.manifest(file_number)
        base = f"/files/{file_number}" if self._many else ""
        seen = self._library.look(file_number)
        with self._library.reading(file_number) as file:
            names = Commands(str(path), manifest.name if manifest else "TARGET", is_redacted(file))
        return _At(file_number, seen, base, path.name, names)

    def _page(
        self, request: Request, name: str, at: _At | None = None, status: int = HTTPStatus.OK, **values: Any
    ) -> Response:
        theme = request.cookies.get(_COOKIE, "")
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        values.setdefault("follows", None if at is None else _Follows(f"{at.base}/changes", at.seen))
        html = self._renderer.render(
            name,
            at=at,
            base=at.base if at else "",
            many=self._many,
            theme=theme if theme in THEMES else "",
            here=here,
            **values,
        )
        return HTMLResponse(html, status, headers={"cache-control": "no-store", "vary": "HX-Request, Cookie"})

    # What is not a page.

    def _refused(self, status: HTTPStatus) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def refuse(request: Request, error: Exception) -> Response:
            return self._page(request, "error.html", status=status, status_text=status.phrase, message=str(error))

        return refuse

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        message = (
            "there is no such page; these pages are only read" if status < HTTPStatus.INTERNAL_SERVER_ERROR else ""
        )
        return self._page(request, "error.html", status=status, status_text=status.phrase, message=message)

    async def _damaged(self, request: Request, error: Exception) -> Response:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        message = f"the file cannot be read here: {error}; is it damaged, or did something else write into it?"
        return self._page(request, "error.html", status=status, status_text="Damaged", message=message)


def _own_path(path: str) -> str:
    """A path of this server; the first page in place of anything else."""
    parts = urlsplit(path)
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if is_own and path.isprintable() else "/"
