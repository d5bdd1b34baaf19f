"""How does a test make a real store fail? A proxy before it that breaks what the test names."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Self

import h11
import obstore
from obstore.store import S3Store

Fault = Callable[[h11.Request], bool]


def writes_of(key_end: str) -> Fault:
    """Requests that write an object whose key ends like this."""
    return lambda request: request.method == b"PUT" and request.target.split(b"?")[0].endswith(key_end.encode())


def reads_of(key_end: str) -> Fault:
    """Requests that read an object whose key ends like this."""
    return lambda request: request.method == b"GET" and request.target.split(b"?")[0].endswith(key_end.encode())


@dataclass(frozen=True)
class Answer:
    """An answer; one that is `cut` ends in the middle of its content."""

    response: h11.Response
    content: bytes = b""
    cut: bool = False


@dataclass
class StoreProxy:
    """Passes requests on to `port`. Faults may change while it runs."""

    port: int
    address: str = "127.0.0.1"
    """Where it listens."""
    down: bool = False
    unconditional: S3Store | None = None
    """With this, writes happen whatever their conditions say; the proxy signs them anew, as a careless store would."""
    lose_answers_of: Fault | None = None
    fail: Fault | None = None
    status: int = 503
    body: bytes = b""
    """What requests that `fail` are answered."""
    delay_seconds: float = 0.0
    """What every request takes longer."""
    lost: int = 0
    failed: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    """How often, by method; reads of CURRENT and lists apart from other GETs."""
    uploaded: int = 0
    """Bytes of the bodies of all writes."""
    endpoint: str = ""
    _open: dict[asyncio.StreamWriter, asyncio.Task[object]] = field(default_factory=dict)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._serve, self.address, 0)
        self.endpoint = f"http://{self.address}:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.down = True
            await asyncio.sleep(0.05)  # a connection that was just taken begins, and ends
            serving = list(self._open.values())
            self.go_down()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    def go_down(self) -> None:
        """Cut every connection and take no more."""
        self.down = True
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._open[writer] = serving
        client = h11.Connection(h11.SERVER)
        try:
            while not self.down:
                request, body = await _read(client, reader)
                if not isinstance(request, h11.Request) or self.down:
                    return
                self.asked[_kind(request)] += 1
                self.uploaded += len(body)
                await asyncio.sleep(self.delay_seconds)
                answer = await self._answer(request, body)
                if answer is None:
                    return
                await _send(client, writer, request, answer)
                if answer.cut:
                    return
                client.start_next_cycle()
        except (OSError, h11.ProtocolError, EOFError, asyncio.CancelledError):  # cancelled: the loop ends
            return
        finally:
            self._open.pop(writer, None)
            writer.close()

    async def _answer(self, request: h11.Request, body: bytes) -> Answer | None:
        """What to answer; None cuts the connection instead."""
        if self.fail is not None and self.fail(request):
            self.failed += 1
            answer = Answer(h11.Response(status_code=self.status, headers=[]), self.body)
        elif self.unconditional is not None and request.method == b"PUT":
            key = request.target.split(b"?")[0].decode().split("/", 2)[2]
            etag = (await obstore.put_async(self.unconditional, key, body))["e_tag"] or ""
            answer = Answer(h11.Response(status_code=200, headers=[("ETag", etag)]))
        else:
            answer = await self._pass_on(request, body)
        if self.lose_answers_of is not None and self.lose_answers_of(request):
            self.lost += 1
            return None
        return answer

    async def _pass_on(self, request: h11.Request, body: bytes) -> Answer:
        headers = [
            (name, value)
            for name, value in request.headers
            if name not in (b"transfer-encoding", b"expect", b"connection")
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        server = h11.Connection(h11.CLIENT)
        try:
            message = h11.Request(method=request.method, target=request.target, headers=headers)
            writer.write(server.send(message) or b"")
            if body:
                writer.write(server.send(h11.Data(data=body)) or b"")
            writer.write(server.send(h11.EndOfMessage()) or b"")
            response, content = await _read(server, reader)
            assert isinstance(response, h11.Response)
            return Answer(response, content)
        finally:
            writer.close()


def _kind(request: h11.Request) -> str:
    path, _, query = request.target.partition(b"?")
    if request.method == b"GET" and b"list-type=" in query:
        return "LIST"
    if request.method == b"GET" and path.endswith(b"/CURRENT"):
        return "GET CURRENT"
    return request.method.decode()


async def _send(client: h11.Connection, writer: asyncio.StreamWriter, request: h11.Request, answer: Answer) -> None:
    response, content = answer.response, answer.content
    headers = [
        (name, value) for name, value in response.headers if name not in (b"transfer-encoding", b"content-length")
    ]
    length = next((value for name, value in response.headers if name == b"content-length"), None)
    if request.method == b"HEAD" and length is not None:
        headers.append((b"content-length", length))
    elif response.status_code not in (204, 304):
        headers.append((b"content-length", str(len(content)).encode()))
    writer.write(client.send(h11.Response(status_code=response.status_code, headers=headers)) or b"")
    if answer.cut:
        content = content[: len(content) // 2]
    if content:
        writer.write(client.send(h11.Data(data=content)) or b"")
    if not answer.cut:
        writer.write(client.send(h11.EndOfMessage()) or b"")
    await writer.drain()


async def _read(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> tuple[h11.Request | h11.Response | None, bytes]:
    head: h11.Request | h11.Response | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request | h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return head, bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            return None, b""


@contextmanager
def beside(proxy: StoreProxy) -> Iterator[Callable[[], None]]:
    """Serve in a thread, for a test that waits for programs; what is given cuts every connection."""
    loop, is_up, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with proxy.serving():
            is_up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    is_up.wait()
    try:
        yield lambda: asyncio.run_coroutine_threadsafe(_cut(proxy), loop).result(10)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


async def _cut(proxy: StoreProxy) -> None:
    proxy.go_down()
