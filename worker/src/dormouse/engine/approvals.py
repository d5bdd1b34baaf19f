"""Which requests for approval are pending, and what becomes of a decision?

A decision is recorded like a message, and whoever decided is answered once the code has heard of it: it may have
stopped waiting in the meantime, and then nothing was decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dormouse.engine.calls import ApprovalCall
from dormouse.engine.database import Database
from dormouse.engine.decision import Verdict, is_whole, told, verdict_of
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Event, Kind
from dormouse.engine.messages import Approval
from dormouse.engine.requests import check_text
from dormouse.engine.turns import Turns
from dormouse.errors import AlreadyDecided, DigestMismatch, ExecutionBlocked, ExecutionClosed

Message = Callable[[str, Any, str], object]
"""Finds the message of an execution's workflow, by kind and name."""
Find = Callable[[str], tuple[int, Execution | None]]
"""Gives an execution's key, and itself while it is open."""


class Approvals:
    """Takes decisions."""

    def __init__(self, message: Message, find: Find, turns: Turns, database: Database) -> None:
        self._message = message
        self._find = find
        self._turns = turns
        self._database = database

    async def decide(self, execution_id: str, name: str, digest: str, verdict: Verdict) -> None:
        """Approve or reject the request that the digest stands for, once. The same decision may be sent again.

        Raises:
            DigestMismatch: when no request of this name has it.
            AlreadyDecided: when that request has been decided otherwise, or nobody waits for it any more.
        """
        self._message(execution_id, Approval, name)
        check_text("`by`", verdict.by)
        check_text("`reason`", verdict.reason)
        verdict.check()

        def decide(at: int, answer: asyncio.Future[None]) -> None:
            key, execution = self._find(execution_id)
            call = None if execution is None else _pending(execution, digest)
            if execution is None or call is None or call.approval.name != name:
                self._answer_from_log(key, execution_id, execution, name, digest, verdict)
                self._turns.journal.batch.answers.append((answer, None))
                return
            if call.settled is None and call.due is not None and at >= call.due:
                execution.expired(call, at)  # its timer rings late
            elif call.settled is None:
                execution.decided(call, verdict, at)
            if call.settled is not None and verdict_of(call.settled) != verdict:
                raise _too_late(execution_id, name, call.settled)
            execution.mailbox.deciders.setdefault(digest, []).append(answer)

        await self._turns.ask(decide)

    def _answer_from_log(
        self, key: int, execution_id: str, execution: Execution | None, name: str, digest: str, verdict: Verdict
    ) -> None:
        """Return when this very decision was taken before."""
        if execution is not None and execution.blocked is not None:
            raise ExecutionBlocked(f"execution {execution_id!r} is blocked: {execution.blocked.message}")
        ended = self._database.approval_ends(key, digest)
        if ended:
            end = _what_counts(ended)
            if end.name != name or verdict_of(end) != verdict:
                raise _too_late(execution_id, name, end)
        elif execution is None:
            raise ExecutionClosed(f"execution {execution_id!r} has ended, so it asks for no approval any more")
        else:
            why = "it asks for something else now" if is_whole(digest) else "a digest must be given whole"
            raise DigestMismatch(
                f"execution {execution_id!r} has no pending approval {name!r} with the digest {digest!r}: "
                f"{why}; look at what is pending, and decide on that"
            )


def _too_late(execution_id: str, name: str, end: Event) -> AlreadyDecided:
    how = "is already decided" if end.kind == Kind.APPROVAL_DECIDED else "is over"
    return AlreadyDecided(f"the approval {name!r} of execution {execution_id!r} {how}: {told(end)}")


def _pending(execution: Execution, digest: str) -> ApprovalCall | None:
    calls = (one for one in execution.pending.values() if isinstance(one, ApprovalCall))
    return next((call for call in calls if call.digest == digest), None)


def _what_counts(ended: list[Event]) -> Event:
    """A decision that met a workflow which had stopped waiting decided nothing."""
    withdrawn = (event for event in ended if event.kind == Kind.APPROVAL_WITHDRAWN)
    return next(withdrawn, ended[0])
