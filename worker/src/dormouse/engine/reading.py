"""What is to be seen of the executions?"""

from __future__ import annotations

import sys
from collections.abc import Collection
from itertools import chain, islice

import msgspec

from dormouse.engine.database import Database
from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Event
from dormouse.engine.listing import ALL, Wanted, check_workflow
from dormouse.engine.querying import Row
from dormouse.engine.registry import Registry
from dormouse.engine.standing import Doing, Standing, Waiting, doing, dormant_does, standing_of, waiting_of
from dormouse.engine.turns import Turns
from dormouse.errors import UnknownExecution


class PendingApproval(msgspec.Struct, frozen=True):
    """A request for approval that waits for a decision.

    Attributes:
        position: of the event that asks.
        digest: what a decision has to name.
        payload: what is to be decided on, as JSON.
        due: when it expires.
    """

    position: int
    execution: str
    workflow: str
    name: str
    digest: str
    payload: bytes
    requested_at: int
    due: int | None
    source: str | None


def pending_approval(execution: str, workflow: str, event: Event) -> PendingApproval:
    """What the event that asks for it says."""
    name, digest, payload = event.name or "", event.key or "", event.payload or b"null"
    return PendingApproval(
        event.position, execution, workflow, name, digest, payload, event.at, event.due, event.source
    )


class Reading:
    """Reads the file beside its writer."""

    def __init__(self, turns: Turns, registry: Registry, database: Database, workflows: Collection[str]) -> None:
        self._turns = turns
        self._registry = registry
        self._database = database
        self._workflows = workflows

    def describe(self, execution_id: str) -> Row:
        """An execution, as far as it counts."""
        row = self._database.execution(execution_id)
        if row is None or row.key > self._turns.durable_position:
            raise UnknownExecution(f"there is no execution {execution_id!r}")
        return self._as_it_counts(row)

    def recorded(self, execution_id: str) -> Row | None:
        """An execution as the file holds it, whether or not that counts yet."""
        return self._database.execution(execution_id)

    def describe_newest(self, limit: int, wanted: Wanted = ALL, *, before: int | None = None) -> list[Row]:
        """The newest executions, as far as they count; `before` is the key of the one that the last page ended with.

        Raises:
            UnknownWorkflow: when neither the code nor the file knows the one that is wanted.
        """
        begins = sys.maxsize if before is None else before - 1
        rows = self._database.executions(*wanted.where(up_to=self._turns.durable_position, begins=begins), limit)
        if not rows and wanted.workflow is not None and wanted.workflow not in self._workflows:
            check_workflow(wanted.workflow, [*self._workflows, *self._database.workflow_names()])
        return [self._as_it_counts(row) for row in rows]

    def ending(self, row: Row) -> Event | None:
        """The event that closed an execution."""
        return None if row.closed_position is None else self._database.event(row.closed_position)

    def waits_for(self, execution_id: str) -> list[Waiting]:
        """What an open execution waits for, as far as it counts."""
        running, turns = self._registry.find(execution_id), self._turns
        if running is None:
            row = self._database.execution(execution_id)
            if row is not None and row.key in self._registry.paused:
                return [Waiting("resume")]
            return [] if row is None else self._database.waits_for(row.key)
        pending = [
            one
            for one in running.execution.pending.values()
            if one.position <= turns.durable_position or one in turns.attempts
        ]
        signals = [Waiting("signal", name) for name in running.execution.mailbox.receiving]
        return [*(waiting_of(one, turns.alarms.holds) for one in pending), *signals]

    def approvals(self, limit: int = 100, *, after: int = 0, execution_id: str | None = None) -> list[PendingApproval]:
        """The requests for approval that wait for a decision, the oldest first, as far as they count."""
        key = None if execution_id is None else self.describe(execution_id).key
        up_to = self._turns.durable_position
        found = self._database.pending_approvals(limit, after=after, up_to=up_to, execution=key)
        return [pending_approval(one, workflow, self._database.event(position)) for position, one, workflow in found]

    def history(self, execution_id: str, *, after: int = 0, limit: int = -1) -> list[Event]:
        """An execution's events, as far as they count."""
        row = self.describe(execution_id)
        last = row.closed_position or self._turns.log_ends[row.key]
        return self._database.events(last, after=after, up_to=self._turns.durable_position, limit=limit)

    def standing(self) -> Standing:
        """How many executions do what, and whether this life may rest."""
        turns = self._turns
        return standing_of(
            (one.execution for one in self._registry),
            turns.alarms.holds,
            dormant=self._registry.out_of_memory(),
            quiet=turns.quiet,
            busy_at=turns.busy_at,
            next_wake_at=turns.alarms.earliest(),
        )

    def who(self, does: Doing, at_most: int) -> list[Execution | Row]:
        """Open executions that do this; those in memory first."""
        holds = self._turns.alarms.holds
        awake = (one.execution for one in self._registry if doing(one.execution, holds) == does)
        dormant = (one for one in self._registry.out_of_memory() if dormant_does(one) == does)
        return list(islice(chain(awake, (self._database.execution_by_key(one.key) for one in dormant)), at_most))

    def _as_it_counts(self, row: Row) -> Row:
        if row.closed_position is None or row.closed_position <= self._turns.durable_position:
            return row
        return msgspec.structs.replace(row, status=Status.OPEN, closed_at=None, closed_position=None)
