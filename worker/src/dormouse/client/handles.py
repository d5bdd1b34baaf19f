"""What can a program do with an execution in another process? Wait for it, look at it, talk to it, end it, retry it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from dormouse.client import flows
from dormouse.engine.messages import Approval, Query, Signal, Update
from dormouse.runtime.views import ApprovalView, EventView, ExecutionView

if TYPE_CHECKING:
    from dormouse.client.http import AsyncClient, Client

R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")


class Handle(Generic[R]):
    """An execution in another process. Messages are given as they are declared, or by their names.

    Attributes:
        id: its id.
        created: False when the same request had started it before.
    """

    def __init__(self, id: str, workflow: Any, *, created: bool, client: Client) -> None:  # noqa: A002
        self.id = id
        self.created = created
        self._decode: Callable[[bytes], R] = flows.decoder_of(workflow)
        self._client = client

    def result(self, *, timeout: float | None = None) -> R:
        """Wait for its end and give its result.

        Raises:
            ExecutionFailed, ExecutionCancelled, ExecutionTerminated, ExecutionBlocked: when it has none.
            TimeoutError: when it is still open after `timeout` seconds.
        """
        return flows.result_of(self._client.run(flows.outcome(self.id, timeout)), self._decode)

    def show(self) -> ExecutionView:
        """What it does now."""
        return self._client.run(flows.show(self.id))

    def history(self) -> list[EventView]:
        """What happened to it so far."""
        return self._client.run(flows.history(self.id))

    @overload
    def signal(self, signal: Signal[None] | str, *, idempotency_key: str | None = None) -> ExecutionView: ...
    @overload
    def signal(self, signal: Signal[T], value: T, *, idempotency_key: str | None = None) -> ExecutionView: ...
    @overload
    def signal(self, signal: str, value: Any, *, idempotency_key: str | None = None) -> ExecutionView: ...

    def signal(self, signal: Any, value: Any = None, *, idempotency_key: str | None = None) -> ExecutionView:
        """Send it a signal and return once that counts; with the same idempotency key it is received once.

        Raises:
            InvalidInput, UnknownMessage, ExecutionClosed: when it is refused.
        """
        return self._client.run(flows.signal(self.id, signal, value, idempotency_key))

    @overload
    def query(self, query: Query[A]) -> A: ...
    @overload
    def query(self, query: str) -> Any: ...

    def query(self, query: Any) -> Any:
        """Ask it something that changes nothing.

        Raises:
            AnswerFailed, UnknownMessage, ExecutionBlocked: when there is no answer.
        """
        return flows.decoder_of(query)(self._client.run(flows.query(self.id, query)))

    @overload
    def update(
        self, update: Update[T, A], value: T, *, idempotency_key: str | None = None, timeout: float | None = None
    ) -> A: ...
    @overload
    def update(
        self, update: str, value: Any, *, idempotency_key: str | None = None, timeout: float | None = None
    ) -> Any: ...

    def update(
        self, update: Any, value: Any, *, idempotency_key: str | None = None, timeout: float | None = None
    ) -> Any:
        """Have it do something and give the result; with the same idempotency key it is done once.

        Raises:
            InvalidInput, UnknownMessage, ExecutionClosed, ExecutionBlocked: when it is refused.
            AnswerFailed: when the answer raised.
            TimeoutError: when it is not done after `timeout` seconds; it goes on all the same.
        """
        flow = flows.update(self.id, update, value, idempotency_key, timeout)
        return flows.decoder_of(update)(self._client.run(flow))

    def approvals(self) -> list[ApprovalView]:
        """What it waits to be approved of."""
        return (self._client.run(flows.approvals(1000, None, self.id))).approvals

    def approve(self, approval: Approval[Any] | str, digest: str, *, by: str, reason: str = "") -> ExecutionView:
        """Approve of the request for approval that the digest stands for, once; `by` says who does.

        Raises:
            DigestMismatch: when the workflow asks for something else.
            AlreadyDecided: when it has been rejected, has expired, or nobody waits for it any more.
        """
        return self._client.run(flows.decide(self.id, approval, digest, "approve", by, reason))

    def reject(self, approval: Approval[Any] | str, digest: str, *, by: str, reason: str = "") -> ExecutionView:
        """Reject the request that the digest stands for; raises as `approve`."""
        return self._client.run(flows.decide(self.id, approval, digest, "reject", by, reason))

    def cancel(self, reason: str = "") -> ExecutionView:
        """Ask it to cancel itself; it may clean up first."""
        return self._client.run(flows.end(self.id, "cancel", reason))

    def terminate(self, reason: str = "") -> ExecutionView:
        """End it at once; its code is not asked."""
        return self._client.run(flows.end(self.id, "terminate", reason))

    def retry(self) -> ExecutionView:
        """Let one that failed, or was cancelled or terminated, go on from before that.

        Raises:
            NotRetryable: when it has not ended, or has completed.
        """
        return self._client.run(flows.retry(self.id))

    def resume(self) -> ExecutionView:
        """Let it go on if it is paused; see `Handle.resume`."""
        return self._client.run(flows.resume(self.id))


class AsyncHandle(Generic[R]):
    """An execution in another process; as `Handle`, for code that awaits."""

    def __init__(self, id: str, workflow: Any, *, created: bool, client: AsyncClient) -> None:  # noqa: A002
        self.id = id
        self.created = created
        self._decode: Callable[[bytes], R] = flows.decoder_of(workflow)
        self._client = client

    async def result(self, *, timeout: float | None = None) -> R:  # noqa: ASYNC109 - the server holds the answer back
        """Wait for its end and give its result; raises as `Handle.result`."""
        return flows.result_of(await self._client.run(flows.outcome(self.id, timeout)), self._decode)

    async def show(self) -> ExecutionView:
        """What it does now."""
        return await self._client.run(flows.show(self.id))

    async def history(self) -> list[EventView]:
        """What happened to it so far."""
        return await self._client.run(flows.history(self.id))

    @overload
    async def signal(self, signal: Signal[None] | str, *, idempotency_key: str | None = None) -> ExecutionView: ...
    @overload
    async def signal(self, signal: Signal[T], value: T, *, idempotency_key: str | None = None) -> ExecutionView: ...
    @overload
    async def signal(self, signal: str, value: Any, *, idempotency_key: str | None = None) -> ExecutionView: ...

    async def signal(self, signal: Any, value: Any = None, *, idempotency_key: str | None = None) -> ExecutionView:
        """Send it a signal and return once that counts; raises as `Handle.signal`."""
        return await self._client.run(flows.signal(self.id, signal, value, idempotency_key))

    @overload
    async def query(self, query: Query[A]) -> A: ...
    @overload
    async def query(self, query: str) -> Any: ...

    async def query(self, query: Any) -> Any:
        """Ask it something that changes nothing; raises as `Handle.query`."""
        return flows.decoder_of(query)(await self._client.run(flows.query(self.id, query)))

    @overload
    async def update(
        self,
        update: Update[T, A],
        value: T,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> A: ...
    @overload
    async def update(
        self,
        update: str,
        value: Any,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> Any: ...

    async def update(
        self,
        update: Any,
        value: Any,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> Any:
        """Have it do something and give the result; raises as `Handle.update`."""
        flow = flows.update(self.id, update, value, idempotency_key, timeout)
        return flows.decoder_of(update)(await self._client.run(flow))

    async def approvals(self) -> list[ApprovalView]:
        """What it waits to be approved of."""
        return (await self._client.run(flows.approvals(1000, None, self.id))).approvals

    async def approve(self, approval: Approval[Any] | str, digest: str, *, by: str, reason: str = "") -> ExecutionView:
        """Approve of the request that the digest stands for; raises as `Handle.approve`."""
        return await self._client.run(flows.decide(self.id, approval, digest, "approve", by, reason))

    async def reject(self, approval: Approval[Any] | str, digest: str, *, by: str, reason: str = "") -> ExecutionView:
        """Reject the request that the digest stands for; raises as `approve`."""
        return await self._client.run(flows.decide(self.id, approval, digest, "reject", by, reason))

    async def cancel(self, reason: str = "") -> ExecutionView:
        """Ask it to cancel itself; it may clean up first."""
        return await self._client.run(flows.end(self.id, "cancel", reason))

    async def terminate(self, reason: str = "") -> ExecutionView:
        """End it at once; its code is not asked."""
        return await self._client.run(flows.end(self.id, "terminate", reason))

    async def retry(self) -> ExecutionView:
        """Let one that failed, or was cancelled or terminated, go on from before that; raises as `Handle.retry`."""
        return await self._client.run(flows.retry(self.id))

    async def resume(self) -> ExecutionView:
        """Let it go on if it is paused; see `Handle.resume`."""
        return await self._client.run(flows.resume(self.id))
