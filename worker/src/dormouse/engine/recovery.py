"""How do the executions that a file holds get back into memory? By replay, of all that have something to do."""

from __future__ import annotations

from collections.abc import Mapping

from dormouse.engine.database import Database, Row
from dormouse.engine.definitions import Workflow, absent
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Batch, Event, Journal
from dormouse.engine.mismatch import blocked_by_absence
from dormouse.engine.registry import Dormant, Registry, Running
from dormouse.engine.replay import recover
from dormouse.engine.telling import tell
from dormouse.engine.turns import Turns


class Recovery:
    """Knows the present code."""

    def __init__(
        self, turns: Turns, registry: Registry, database: Database, workflows: Mapping[str, Workflow[..., object]]
    ) -> None:
        self._turns = turns
        self._registry = registry
        self._database = database
        self._workflows = workflows

    def remade(self, row: Row, journal: Journal) -> Execution:
        """The execution of a row, without its code having begun."""
        definition = self._workflows.get(row.workflow) or absent(row.workflow)
        execution = Execution(journal, row.key, row.id, definition, row.seed, row.origin)
        execution.started_at = row.started_at
        return execution

    def all(self) -> None:
        """Replay every open execution but the dormant ones; what is left to do becomes the first batch."""
        left = Batch(recovered=True)
        for dormant in self._database.dormant():
            self._registry.add_dormant(dormant)
            self._turns.log_ends[dormant.key] = dormant.position
            left.resumed.append(dormant)
        heartbeats = self._database.heartbeats()
        runs = self._database.awake_runs()
        for row in self._database.awake_executions():
            run = runs[row.key]
            self._turns.log_ends[row.key] = run.last
            left.add(self._one(row, self._database.events_of(run), heartbeats))
        self._turns.resume(left)

    def wake(self, dormant: Dormant) -> Running:
        """Get a dormant one back, in a turn. Whatever its log holds counted before it left memory."""
        turns = self._turns
        row = self._database.execution_by_key(dormant.key)
        del self._registry.dormant[dormant.key]
        turns.alarms.clear(dormant)
        left = self._one(row, self._database.events(dormant.position), {})
        waiting, left.resumed = left.resumed, []
        left.asleep[row.key] = None
        turns.journal.batch.add(left)
        for one in waiting:
            turns.go_on_waiting(one)
        running = self._registry.find_by_number(row.key)
        assert running is not None  # noqa: S101 - it was added just now
        return running

    def _one(self, row: Row, recorded: list[Event], heartbeats: Mapping[tuple[int, int], bytes]) -> Batch:
        journal = self._turns.journal
        execution = self.remade(row, journal)
        execution.log.last_position = recorded[-1].position
        running = self._registry.add(execution)
        running.started.set_result(None)
        left = Batch()
        if row.workflow in self._workflows:
            left = recover(execution, journal, recorded, heartbeats)
        else:
            execution.log.replaying = True
            execution.block(blocked_by_absence(row.workflow, list(self._workflows)))
            execution.log.replaying = False
        running.over = execution.blocked is not None
        if execution.blocked != row.blocked:
            left.changed.append(execution)
        elif execution.blocked is not None:
            tell(execution)  # again in each life: nobody reads the log of an earlier one
        return left
