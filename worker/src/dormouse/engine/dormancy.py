"""Which executions need no memory? Those that wait for long; the file alone keeps them until something comes.

The file has all of an execution: what it waits for is written beside its row, and its code runs over its log again
when a timer or a message comes. So memory grows with what goes on at once, not with what is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from dormouse.engine.calls import ActivityCall, ApprovalCall, Sleep
from dormouse.engine.clock import SECOND, Clock
from dormouse.engine.database import Database
from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution
from dormouse.engine.pausing import paused
from dormouse.engine.registry import Dormant, Registry, Running
from dormouse.engine.standing import Waiting, waiting_of

if TYPE_CHECKING:
    from dormouse.engine.turns import Turns

_OPEN = Status.OPEN  # looked at in every step, and an enum is slow to find its members
_LONG_SECONDS = 60
"""What is due sooner is not worth a replay."""


def may_rest(execution: Execution, now: int) -> bool:
    """Whether nothing can happen to it for long, unless somebody comes. Pure."""
    if execution.status is not _OPEN or execution.main is None or execution.unheard:
        return False
    for one in execution.pending.values():
        if isinstance(one, ActivityCall):
            return False
        soon = now + _LONG_SECONDS * SECOND
        if isinstance(one, Sleep | ApprovalCall) and (one.due or soon) < soon:
            return False
    return not any(update.waiting for update in execution.mailbox.updates.values())


class Dormancy:
    """Lets executions leave memory, those first that have waited longest, and gets them back.

    Args:
        turns: whose batches tell the file what has left memory.
        registry: what is in memory.
        database: the file.
        clock: what time it is.
        wake: replays one.
        at_most: how many of those that may leave stay in memory all the same.
    """

    def __init__(
        self,
        turns: Turns,
        registry: Registry,
        database: Database,
        clock: Clock,
        wake: Callable[[Dormant], Running],
        at_most: int,
    ) -> None:
        self._turns = turns
        self._registry = registry
        self._database = database
        self._clock = clock
        self._wake = wake
        self._at_most = at_most
        self._resting: dict[int, Execution] = {}
        self._are_few = True
        """Whether all could stay in memory, if they rested. Then nobody looks which of them do."""

    # Back into memory; in a turn.

    def find(self, execution_id: str) -> Running | None:
        """An open execution; raises ExecutionPaused."""
        running = self._registry.find(execution_id)
        if running is not None or not (self._registry.dormant or self._registry.paused):
            return running
        row = self._database.execution(execution_id)
        if row is not None and row.key in self._registry.paused:
            raise paused(execution_id)
        return None if row is None else self.find_by_number(row.key)

    def find_by_number(self, key: int) -> Running | None:
        """An open execution."""
        dormant = self._registry.dormant.get(key)
        if dormant is None:
            return self._registry.find_by_number(key)
        running = self._wake(dormant)
        self.consider([running.execution])  # who only asks it something leaves it as it was
        return running

    # Out of memory.

    def consider(self, executions: Iterable[Execution]) -> None:
        """They have heard of something: which of them rest now?"""
        were_few, self._are_few = self._are_few, len(self._registry) <= self._at_most
        if self._are_few:
            self._resting.clear()
            return
        if were_few:
            executions = [running.execution for running in self._registry]
        now = self._clock.now()
        for execution in executions:
            if self._resting:
                self._resting.pop(execution.key, None)
            if may_rest(execution, now):
                self._resting[execution.key] = execution

    def let_go(self) -> None:
        """Something more counts: let those go that are too many."""
        if len(self._resting) <= self._at_most:
            return
        now, durable = self._clock.now(), self._turns.durable_position
        for execution in islice(list(self._resting.values()), len(self._resting) - self._at_most):
            if not may_rest(execution, now):
                del self._resting[execution.key]  # it will hear of something, and may rest again
            elif (execution.log.last_position or 0) <= durable:
                del self._resting[execution.key]
                self._let_go(execution)

    def _let_go(self, execution: Execution) -> None:
        alarms = self._turns.alarms
        pending = [one for one in execution.pending.values() if not isinstance(one, ActivityCall)]
        waiting = [waiting_of(one, alarms.holds) for one in pending]
        waiting += [Waiting("signal", name) for name in execution.mailbox.receiving]
        timers = [one for one in pending if isinstance(one, Sleep | ApprovalCall)]
        for one in timers:
            alarms.clear(one)
        due = min((one.due for one in timers if one.due is not None), default=None)
        dormant = Dormant(execution.key, execution.workflow.name, execution.log.last_position or 0, due)
        execution.dispose()
        self._registry.let_go(execution, dormant)
        self._turns.journal.batch.asleep[execution.key] = (dormant, msgspec.json.encode(waiting))
        self._turns.go_on_waiting(dormant)
