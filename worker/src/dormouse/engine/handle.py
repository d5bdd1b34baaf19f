"""What can be done with one execution? Wait for it, look at it, talk to it, decide for it, end it, retry it.

The handles of `dormouse.client` do the same over HTTP, under the same names.
"""

from __future__ import annotations

import asyncio
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import msgspec

from dormouse.engine.decision import Verdict
from dormouse.engine.messages import Approval, Query, Signal, Update, name_of, not_done_yet
from dormouse.engine.payload import encode

if TYPE_CHECKING:
    from dormouse.engine.engine import Engine
    from dormouse.runtime.views import ApprovalView, EventView, ExecutionView

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
A = TypeVar("A")
_MOST = 1000


class Handle(Generic[R_co]):
    """An execution. Messages are given as they are declared, or by their names.

    Attributes:
        id: its id.
        created: False when the same request had started it before.
    """

    def __init__(self, id: str, *, created: bool, engine: Engine) -> None:  # noqa: A002
        self.id = id
        self.created = created
        self._engine = engine

    async def result(self, *, timeout: float | None = None) -> R_co:  # noqa: ASYNC109 - as the handles over HTTP
        """Wait for its end and give its result.

        Raises:
            ExecutionFailed, ExecutionCancelled, ExecutionTerminated: when it has none.
            ExecutionBlocked: when the present code cannot go on with it.
            TimeoutError: when it is still open after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                return cast("R_co", await self._engine.result(self.id))
        except TimeoutError:
            raise TimeoutError(f"execution {self.id!r} is still open") from None

    async def show(self) -> ExecutionView:
        """What it does now."""
        from dormouse.runtime.views import execution_view

        await self._engine.recovered()
        read = self._engine.read
        row = read.describe(self.id)
        return execution_view(row, read.ending(row), None if row.status.closed else read.waits_for(self.id))

    async def history(self) -> list[EventView]:
        """What happened to it so far."""
        from dormouse.runtime.views import event_view

        await self._engine.recovered()
        return [event_view(event) for event in self._engine.read.history(self.id)]

    @overload
    async def signal(self, signal: Signal[None] | str, *, idempotency_key: str | None = None) -> ExecutionView: ...
    @overload
    async def signal(self, signal: Signal[T], value: T, *, idempotency_key: str | None = None) -> ExecutionView: ...
    @overload
    async def signal(self, signal: str, value: Any, *, idempotency_key: str | None = None) -> ExecutionView: ...

    async def signal(self, signal: Any, value: Any = None, *, idempotency_key: str | None = None) -> ExecutionView:
        """Send it a signal and return once that counts.

        The same idempotency key sends the same signal only once.
        """
        control = await self._engine.control()
        await control.signal(self.id, name_of(signal), encode(value), idempotency_key)
        return self._as_it_stands()

    @overload
    async def query(self, query: Query[A]) -> A: ...
    @overload
    async def query(self, query: str) -> Any: ...

    async def query(self, query: Any) -> Any:
        """Ask it something that changes nothing."""
        control = await self._engine.control()
        return _decode(query, await control.query(self.id, name_of(query)))

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
        """Have it do something and give the result.

        The same idempotency key has it done only once, and gives the same result again.

        Raises:
            InvalidInput: when it refuses.
            AnswerFailed: when its answer raised.
            TimeoutError: when it is not done after `timeout` seconds; it goes on all the same.
        """
        control = await self._engine.control()
        name, key = name_of(update), idempotency_key or token_hex(16)
        try:
            async with asyncio.timeout(timeout):
                result = await control.update(self.id, name, encode(value), key)
        except TimeoutError:
            raise not_done_yet(self.id, name, key) from None
        return _decode(update, result)

    async def approvals(self) -> list[ApprovalView]:
        """What it waits to be approved of."""
        from dormouse.runtime.views import approval_view

        await self._engine.recovered()
        return [approval_view(one) for one in self._engine.read.approvals(_MOST, execution_id=self.id)]

    async def approve(self, approval: Approval[Any] | str, digest: str, *, by: str, reason: str = "") -> ExecutionView:
        """Approve of the request that the digest stands for; `by` says who does.

        Raises:
            DigestMismatch: when the workflow asks for something else.
            AlreadyDecided: when it has been rejected, has expired, or nobody waits for it any more.
        """
        return await self._decide(approval, digest, Verdict("approved", by, reason))

    async def reject(self, approval: Approval[Any] | str, digest: str, *, by: str, reason: str = "") -> ExecutionView:
        """Reject the request that the digest stands for; raises as `approve`."""
        return await self._decide(approval, digest, Verdict("rejected", by, reason))

    async def cancel(self, reason: str = "") -> ExecutionView:
        """Ask it to cancel itself: `asyncio.CancelledError` is raised where it waits, and it may clean up."""
        await (await self._engine.control()).cancel(self.id, reason)
        return self._as_it_stands()

    async def terminate(self, reason: str = "") -> ExecutionView:
        """End it at once; its code is not asked."""
        await (await self._engine.control()).terminate(self.id, reason)
        return self._as_it_stands()

    async def retry(self) -> ExecutionView:
        """Let an execution that failed, or was cancelled or terminated, go on from before that.

        An activity whose failure ended it is tried again, with all its attempts; what came after that failure is
        taken back in the log.
        """
        await (await self._engine.control()).retry(self.id)
        return self._as_it_stands()

    async def resume(self) -> ExecutionView:
        """Let it go on if it is paused, as all are that a fork has from its source; and all of its family with it."""
        await self._engine.resume_one(self.id)
        return self._as_it_stands()

    async def _decide(self, approval: Any, digest: str, verdict: Verdict) -> ExecutionView:
        control = await self._engine.control()
        await control.approvals.decide(self.id, name_of(approval), digest, verdict)
        return self._as_it_stands()

    def _as_it_stands(self) -> ExecutionView:
        from dormouse.runtime.views import execution_view

        return execution_view(self._engine.read.describe(self.id))


def _decode(message: Any, answer: bytes) -> Any:
    """By the type of the message when it is given, else as JSON says."""
    return msgspec.json.decode(answer) if isinstance(message, str) else message.result.decode(answer)
