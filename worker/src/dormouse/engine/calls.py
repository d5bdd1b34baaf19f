"""What can an execution wait for, outside of its own code? An activity, a timer, a child, somebody's approval."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from dormouse.engine.clock import SECOND
from dormouse.engine.decision import Decision
from dormouse.engine.loop import Callback

if TYPE_CHECKING:
    from dormouse.engine.definitions import Activity, Workflow
    from dormouse.engine.execution import Execution
    from dormouse.engine.journal import Event
    from dormouse.engine.messages import Approval
    from dormouse.engine.payload import Failure


class ActivityCall(msgspec.Struct, eq=False):  # one is made in every step, by C
    """A call that the workflow waits for. Cancelling it is a decision of the workflow, so it is recorded.

    Attributes:
        future: what the code waits for. One of asyncio's own: tasks take twice as long to wait for a subclass.
        scheduled_at: when the workflow asked for it.
        attempt: the one that runs or, when it is `due` in the future, that follows.
        position: of the event that says so; 0 when an earlier life wrote it.
        heartbeat: the details of its last heartbeat, as JSON.
        source: the line that asked for it; of the other things to wait for, too.
        value: what it returned, while that does not count yet.
    """

    execution: Execution
    command: int
    activity: Activity[..., Any]
    payload: bytes
    source: str | None
    future: asyncio.Future[Any]
    scheduled_at: int = 0
    attempt: int = 1
    due: int | None = None
    position: int = 0
    last_failure: Failure | None = None
    heartbeat: bytes | None = None
    value: Any = msgspec.UNSET

    def cancelled(self) -> None:
        """The code does not wait for it any more."""
        self.execution.commands.call_cancelled(self)


class ChildCall(asyncio.Future[Any]):
    """An execution that the workflow has started and waits for.

    Attributes:
        child_id: its id.
        position: of the event that started it.
    """

    position = 0
    source: str | None = None

    def __init__(
        self, execution: Execution, command: int, workflow: Workflow[..., Any], payload: bytes | None, child_id: str
    ) -> None:
        super().__init__(loop=execution.loop)
        self.execution = execution
        self.command = command
        self.workflow = workflow
        self.payload = payload
        self.child_id = child_id

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self.execution.commands.child_cancelled(self)
        return True


class ApprovalCall(asyncio.Future[Decision]):
    """A request for approval that the workflow waits for. It ends once: by a decision, by its time, or withdrawn.

    Attributes:
        digest: what a decision has to name.
        due: when it expires.
        position: of the event that says so.
        settled: the event with which it ended, while the code has not heard of it.
    """

    position = 0
    settled: Event | None = None
    source: str | None = None

    def __init__(
        self, execution: Execution, command: int, approval: Approval[Any], digest: str, due: int | None
    ) -> None:
        super().__init__(loop=execution.loop)
        self.execution = execution
        self.command = command
        self.approval = approval
        self.due = due
        self.digest = digest

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self.execution.commands.approval_withdrawn(self)
        return True


class Sleep:
    """A timer that the workflow has set."""

    __slots__ = ("callback", "command", "due", "execution", "position", "source")

    def __init__(self, execution: Execution, command: int, due: int, callback: Callback) -> None:
        self.execution = execution
        self.command = command
        self.due = due
        self.callback = callback
        self.position = 0
        self.source: str | None = None

    def cancel(self) -> None:
        if not self.callback.cancelled():
            self.callback.cancel()
            self.execution.commands.sleep_cancelled(self)

    def cancelled(self) -> bool:
        return self.callback.cancelled()

    def when(self) -> float:
        return self.due / SECOND


Pending = ActivityCall | ChildCall | ApprovalCall | Sleep
Timed = ActivityCall | ApprovalCall | Sleep
