"""How does an HTTP request reach the API? HTTP/1.1 on asyncio and h11, with bounds on everything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import h11

LARGEST_BODY = 1024 * 1024
LARGEST_HEAD = 64 * 1024
LONGEST_TARGET = 8 * 1024
_IDLE_SECONDS = 75.0
_LINGER_SECONDS = 2.0
_log = logging.getLogger("dormouse.http")


@dataclass(frozen=True)
class Request:
    """One request; its path is as it was sent, percent signs and all."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(default=())
    content_type: str = "application/json"


Answer = Callable[[Request], Awaitable[Response]]
Refuse = Callable[[int, str], Response]
"""Makes the answer to what never becomes a request, of a status and a message."""


class _Connection(asyncio.Protocol):
    def __init__(self, answer: Answer, refuse: Refuse) -> None:
        self._answer = answer
        self._refusal = refuse
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._refused = False
        self._answering: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server makes
        self._transport = transport
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._stop_resting()
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._stop_resting()
        self._http.receive_data(data)
        if len(self._http.trailing_data[0]) > LARGEST_HEAD and self._answering is not None:
            self._transport.close()  # it sends on and on without waiting for its answer
            return
        self._read()

    def eof_received(self) -> bool:
        return False

    def _read(self) -> None:
        while self._answering is None and not self._transport.is_closing():
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(error.error_status_hint, f"this is not HTTP/1.1 as it should be: {error}")
                return
            if event is h11.NEED_DATA or event is h11.PAUSED:
                self._rest()
                return
            if isinstance(event, h11.Request):
                if len(event.target) > LONGEST_TARGET:
                    self._refuse(414, f"a path with its query may have {LONGEST_TARGET} bytes")
                    return
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > LARGEST_BODY:
                    self._refuse(413, f"a body may have {LARGEST_BODY} bytes; put more into a store and pass its key")
                    return
            elif isinstance(event, h11.EndOfMessage):
                self._answering = asyncio.get_running_loop().create_task(self._respond())
            else:
                self._transport.close()
                return

    def _begin(self, head: h11.Request) -> None:
        self._head = head
        self._body.clear()
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self._transport.write(self._http.send(go_on) or b"")

    async def _respond(self) -> None:
        assert self._head is not None  # noqa: S101 - a message ends after it began
        try:
            response = await self._answer(_request(self._head, bytes(self._body)))
        except Exception:  # noqa: BLE001 - the connection must not hang, whatever is wrong
            _log.exception("no answer to %s", self._head)
            response = self._refusal(500, "the runtime made a mistake; its log says which")
        self._send(response, with_body=self._head.method != b"HEAD")
        self._answering = None
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
            return
        self._http.start_next_cycle()
        self._read()

    def _refuse(self, status: int, message: str) -> None:
        """Answer, and listen no more. Closing at once would reset the connection before the answer is read."""
        self._refused = True
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._send(self._refusal(status, message), close=True)
        self._transport.write_eof()
        self._stop_resting()
        self._idle = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.close)

    def _send(self, response: Response, *, with_body: bool = True, close: bool = False) -> None:
        headers = [
            ("content-type", response.content_type),
            ("content-length", str(len(response.body))),
            *response.headers,
            *([("connection", "close")] if close else []),
        ]
        head = h11.Response(status_code=response.status, headers=headers)
        self._transport.write(self._http.send(head) or b"")
        if with_body:
            self._transport.write(self._http.send(h11.Data(data=response.body)) or b"")
        self._transport.write(self._http.send(h11.EndOfMessage()) or b"")

    def _rest(self) -> None:
        self._stop_resting()
        self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._transport.close)

    def _stop_resting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None


def _request(head: h11.Request, body: bytes) -> Request:
    target = head.target.decode("ascii", "replace")
    path, _, query = _without_host(target).partition("?")
    return Request(
        head.method.decode("ascii"),
        path,
        {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()},
        {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
        body,
    )


def _without_host(target: str) -> str:
    """As a proxy is asked: `http://host/path`."""
    scheme, colon, rest = target.partition("://")
    if not colon or scheme.lower() not in {"http", "https"}:
        return target
    return f"/{rest.partition('/')[2]}"


async def serve(answer: Answer, refuse: Refuse, host: str, port: int) -> asyncio.Server:
    """Listen.

    Raises:
        OSError: when the port is taken.
    """
    return await asyncio.get_running_loop().create_server(lambda: _Connection(answer, refuse), host, port)
