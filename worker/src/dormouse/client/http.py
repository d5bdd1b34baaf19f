"""How does a program talk to a runtime? Two clients alike: one waits, the other awaits."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload

from dormouse.client import flows
from dormouse.client.flows import NO_INPUT, Answer, Flow, Request
from dormouse.client.handles import AsyncHandle, Handle
from dormouse.client.refusals import Unreachable
from dormouse.engine.definitions import Workflow
from dormouse.extras import NotInstalled
from dormouse.runtime.views import ApprovalsView, ExecutionsView
from dormouse.token_file import check_token

try:
    import httpx
except ModuleNotFoundError as _missing:
    raise NotInstalled("dormouse.client", _missing.name, "client") from _missing

Input = TypeVar("Input")
R = TypeVar("R")
T = TypeVar("T")
_ANSWERS_WITHIN_SECONDS = 10.0
_CONNECTS_WITHIN_SECONDS = 5.0


def _to_httpx(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.query),
        "headers": dict(request.headers),
        "content": request.body,
        "timeout": httpx.Timeout(_ANSWERS_WITHIN_SECONDS + request.waits_seconds, connect=_CONNECTS_WITHIN_SECONDS),
    }


def _authorization(token: str | None) -> dict[str, str]:
    if token is None:
        return {}
    check_token(token, "the token")
    return {"Authorization": f"Bearer {token}"}


def _unreachable(base: httpx.URL, error: Exception) -> Unreachable:
    return Unreachable(f"{base} does not answer: {str(error) or type(error).__name__}; is the runtime there?")


class Client:
    """Talks to one runtime.

    Args:
        url: its address, such as `http://localhost:8080`.
        token: what the runtime asks for, if it does.
        transport: of httpx, for tests or for what is not plain HTTP.
    """

    def __init__(self, url: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=url, headers=_authorization(token), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    @overload
    def start(
        self,
        workflow: Callable[[], Coroutine[Any, Any, R]],
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Handle[R]: ...
    @overload
    def start(
        self,
        workflow: Callable[[Input], Coroutine[Any, Any, R]],
        input: Input,
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Handle[R]: ...
    @overload
    def start(
        self, workflow: str, input: Any = ..., *, id: str | None = None, idempotency_key: str | None = None
    ) -> Handle[Any]: ...

    def start(
        self,
        workflow: Any,
        input: Any = NO_INPUT,  # noqa: A002
        *,
        id: str | None = None,  # noqa: A002
        idempotency_key: str | None = None,
    ) -> Handle[Any]:
        """Start an execution and return once the start counts; see `Engine.start`."""
        started = self.run(flows.start(workflow, input, id, idempotency_key))
        return Handle(started.execution.id, workflow, created=started.created, client=self)

    @overload
    def handle(self, id: str) -> Handle[Any]: ...
    @overload
    def handle(self, id: str, workflow: Workflow[..., R]) -> Handle[R]: ...

    def handle(self, id: str, workflow: Any = None) -> Handle[Any]:  # noqa: A002
        """The handle of an execution that was started before; `workflow` says of which type its result is."""
        return Handle(id, workflow, created=False, client=self)

    def executions(
        self,
        *,
        status: str | None = None,
        workflow: Workflow[..., Any] | str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> ExecutionsView:
        """The newest executions, all or those of a status and a workflow; `after` is the `next` of the last page."""
        return self.run(flows.executions(status, workflow, limit, after))

    def approvals(self, *, limit: int = 100, after: str | None = None) -> ApprovalsView:
        """What workflows wait to be approved of, the oldest first; `after` is the `next` of the last page."""
        return self.run(flows.approvals(limit, after))

    def resume(self) -> int:
        """Let all paused executions go on; how many there were."""
        return self.run(flows.resume_all())

    def run(self, flow: Flow[T]) -> T:
        """Send what a flow asks for until it is done."""
        try:
            request = next(flow)
            while True:
                request = flow.send(self._send(request))
        except StopIteration as done:
            return cast("T", done.value)

    def _send(self, request: Request) -> Answer:
        try:
            answer = self._http.request(**_to_httpx(request))
        except httpx.TransportError as error:
            raise _unreachable(self._http.base_url, error) from error
        return Answer(answer.status_code, answer.content)


class AsyncClient:
    """Talks to one runtime; as `Client`, for code that awaits."""

    def __init__(
        self, url: str, *, token: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_authorization(token), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    @overload
    async def start(
        self,
        workflow: Callable[[], Coroutine[Any, Any, R]],
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncHandle[R]: ...
    @overload
    async def start(
        self,
        workflow: Callable[[Input], Coroutine[Any, Any, R]],
        input: Input,
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncHandle[R]: ...
    @overload
    async def start(
        self, workflow: str, input: Any = ..., *, id: str | None = None, idempotency_key: str | None = None
    ) -> AsyncHandle[Any]: ...

    async def start(
        self,
        workflow: Any,
        input: Any = NO_INPUT,  # noqa: A002
        *,
        id: str | None = None,  # noqa: A002
        idempotency_key: str | None = None,
    ) -> AsyncHandle[Any]:
        """Start an execution and return once the start counts; see `Engine.start`."""
        started = await self.run(flows.start(workflow, input, id, idempotency_key))
        return AsyncHandle(started.execution.id, workflow, created=started.created, client=self)

    @overload
    def handle(self, id: str) -> AsyncHandle[Any]: ...
    @overload
    def handle(self, id: str, workflow: Workflow[..., R]) -> AsyncHandle[R]: ...

    def handle(self, id: str, workflow: Any = None) -> AsyncHandle[Any]:  # noqa: A002
        """The handle of an execution that was started before; `workflow` says of which type its result is."""
        return AsyncHandle(id, workflow, created=False, client=self)

    async def executions(
        self,
        *,
        status: str | None = None,
        workflow: Workflow[..., Any] | str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> ExecutionsView:
        """The newest executions, all or those of a status and a workflow; `after` is the `next` of the last page."""
        return await self.run(flows.executions(status, workflow, limit, after))

    async def approvals(self, *, limit: int = 100, after: str | None = None) -> ApprovalsView:
        """What workflows wait to be approved of, the oldest first; `after` is the `next` of the last page."""
        return await self.run(flows.approvals(limit, after))

    async def resume(self) -> int:
        """Let all paused executions go on; how many there were."""
        return await self.run(flows.resume_all())

    async def run(self, flow: Flow[T]) -> T:
        """Send what a flow asks for until it is done."""
        try:
            request = next(flow)
            while True:
                request = flow.send(await self._send(request))
        except StopIteration as done:
            return cast("T", done.value)

    async def _send(self, request: Request) -> Answer:
        try:
            answer = await self._http.request(**_to_httpx(request))
        except httpx.TransportError as error:
            raise _unreachable(self._http.base_url, error) from error
        return Answer(answer.status_code, answer.content)
