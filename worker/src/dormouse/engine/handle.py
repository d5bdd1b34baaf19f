"""What can be done with one execution? Wait for it, talk to it, end it, retry it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from dormouse.engine.decision import Verdict
from dormouse.engine.messages import Approval, Query, Signal, Update
from dormouse.engine.payload import encode

if TYPE_CHECKING:
    from dormouse.engine.engine import Engine
    from dormouse.runtime.views import ApprovalView

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
A = TypeVar("A")
_MOST = 1000


class Handle(Generic[R_co]):
    """An execution.

    Attributes:
        id: its id.
        created: False when the same request had started it before.
    """

    def __init__(self, id: str, *, created: bool, engine: Engine) -> None:  # noqa: A002
        self.id = id
        self.created = created
        self._engine = engine

    async def result(self) -> R_co:
        """Wait for its end and give its result.

        Raises:
            ExecutionFailed, ExecutionCancelled, ExecutionTerminated: when it has none.
            ExecutionBlocked: when the present code cannot go on with it.
        """
        return cast("R_co", await self._engine.result(self.id))

    @overload
    async def signal(self, signal: Signal[None], *, idempotency_key: str | None = None) -> None: ...
    @overload
    async def signal(self, signal: Signal[T], value: T, *, idempotency_key: str | None = None) -> None: ...

    async def signal(self, signal: Signal[Any], value: Any = None, *, idempotency_key: str | None = None) -> None:
        """Send it a signal and return once that counts.

        The same idempotency key sends the same signal only once.
        """
        control = await self._engine.control()
        await control.signal(self.id, signal.name, encode(value), idempotency_key)

    async def query(self, query: Query[A]) -> A:
        """Ask it something that changes nothing."""
        control = await self._engine.control()
        return cast("A", query.result.decode(await control.query(self.id, query.name)))

    async def update(self, update: Update[T, A], value: T, *, idempotency_key: str | None = None) -> A:
        """Have it do something and give the result.

        The same idempotency key has it done only once, and gives the same result again.

        Raises:
            InvalidInput: when it refuses.
            AnswerFailed: when its answer raised.
        """
        control = await self._engine.control()
        result = await control.update(self.id, update.name, encode(value), idempotency_key)
        return cast("A", update.result.decode(result))

    async def approvals(self) -> list[ApprovalView]:
        """What it waits to be approved of."""
        from dormouse.runtime.views import approval_view

        await self._engine.recovered()
        return [approval_view(one) for one in self._engine.read.approvals(_MOST, execution_id=self.id)]

    async def approve(self, approval: Approval[Any], digest: str, *, by: str, reason: str = "") -> None:
        """Approve of the request that the digest stands for; `by` says who does.

        Raises:
            DigestMismatch: when the workflow asks for something else.
            AlreadyDecided: when it has been rejected, has expired, or nobody waits for it any more.
        """
        await self._decide(approval, digest, Verdict("approved", by, reason))

    async def reject(self, approval: Approval[Any], digest: str, *, by: str, reason: str = "") -> None:
        """Reject the request that the digest stands for; raises as `approve`."""
        await self._decide(approval, digest, Verdict("rejected", by, reason))

    async def _decide(self, approval: Approval[Any], digest: str, verdict: Verdict) -> None:
        control = await self._engine.control()
        await control.approvals.decide(self.id, approval.name, digest, verdict)

    async def cancel(self, reason: str = "") -> None:
        """Ask it to cancel itself: `asyncio.CancelledError` is raised where it waits, and it may clean up."""
        await (await self._engine.control()).cancel(self.id, reason)

    async def terminate(self, reason: str = "") -> None:
        """End it at once; its code is not asked."""
        await (await self._engine.control()).terminate(self.id, reason)

    async def retry(self) -> None:
        """Let an execution that failed, or was cancelled or terminated, go on from before that.

        An activity whose failure ended it is tried again, with all its attempts; what came after that failure is
        taken back in the log.
        """
        await (await self._engine.control()).retry(self.id)
