"""How do the executions that a file holds get back into memory? By replay, of all that have something to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from time import perf_counter

from dormouse.engine.calls import Pending
from dormouse.engine.database import Database
from dormouse.engine.definitions import Workflow, absent
from dormouse.engine.execution import Execution
from dormouse.engine.journal import Batch, Event, Journal
from dormouse.engine.mismatch import blocked_by_absence
from dormouse.engine.querying import Row
from dormouse.engine.registry import Dormant, Registry, Running
from dormouse.engine.replay import recover
from dormouse.engine.telling import tell
from dormouse.engine.turns import Turns

_SECONDS_AT_A_TIME = 0.005


class Recovery:
    """Knows the present code."""

    def __init__(
        self, turns: Turns, registry: Registry, database: Database, workflows: Mapping[str, Workflow[..., object]]
    ) -> None:
        self._turns = turns
        self._registry = registry
        self._database = database
        self._workflows = workflows
        self._heartbeats: Mapping[tuple[int, int], bytes] = {}

    def remade(self, row: Row, journal: Journal) -> Execution:
        """The execution of a row, without its code having begun."""
        definition = self._workflows.get(row.workflow) or absent(row.workflow)
        execution = Execution(journal, row.key, row.id, definition, row.seed, row.origin)
        execution.started_at = row.started_at
        return execution

    def all(self) -> asyncio.Future[None]:
        """Replay every open execution but the dormant ones; done when all are back.

        What the first leave to do goes on while the others are still to come. Until then those are as good as dormant:
        who needs one sooner wakes it.
        """
        loop = asyncio.get_running_loop()
        back: asyncio.Future[None] = loop.create_future()
        # In callbacks, because executions have tasks of their own and one task cannot run inside another.
        loop.call_soon(self._some, self._replays(), back)
        return back

    def _some(self, replays: Iterator[None], back: asyncio.Future[None]) -> None:
        if back.done():
            return  # nobody waits for it any more
        try:
            next(replays)
        except StopIteration:
            back.set_result(None)
        except Exception as error:  # noqa: BLE001 - it is handed to who waits
            back.set_exception(error)
        else:
            asyncio.get_running_loop().call_soon(self._some, replays, back)

    def _replays(self) -> Iterator[None]:
        """A pause after some of them."""
        database, dormant = self._database, self._registry.dormant
        for paused in database.paused():
            self._registry.add_paused(paused)
            self._turns.log_ends[paused.key] = paused.position
        asleep = list(database.dormant())
        rows, runs = database.awake_executions(), database.awake_runs()
        to_come = [Dormant(row.key, row.workflow, runs[row.key].last, None) for row in rows]
        self._heartbeats = database.heartbeats()
        for one in (*asleep, *to_come):
            self._registry.add_dormant(one)
            self._turns.log_ends[one.key] = one.position
        left = Batch(resumed=[*asleep])
        ends = perf_counter() + _SECONDS_AT_A_TIME
        for row, one in zip(rows, to_come, strict=True):
            if dormant.get(row.key) is not one:
                continue  # it was needed sooner, and may rest again by now
            left.add(self._back(row, database.events_of(runs[row.key])))
            if perf_counter() >= ends:
                self._turns.resume(left)
                yield
                left, ends = Batch(), perf_counter() + _SECONDS_AT_A_TIME
        self._heartbeats = {}
        left.recovered = True
        self._turns.resume(left)

    def wake(self, dormant: Dormant) -> Running:
        """Get a dormant one back, in a turn. Whatever its log holds counts, unless this life has only begun."""
        turns = self._turns
        turns.alarms.clear(dormant)
        left = self._back(self._database.execution_by_key(dormant.key), self._database.events(dormant.position))
        left.asleep[dormant.key] = None
        waiting: list[Pending | Dormant] = []
        if turns.recovered.is_set():
            waiting, left.resumed = left.resumed, []
        turns.journal.batch.add(left)
        for one in waiting:
            turns.go_on_waiting(one)
        running = self._registry.find_by_number(dormant.key)
        assert running is not None  # noqa: S101 - it was added just now
        return running

    def _back(self, row: Row, recorded: list[Event]) -> Batch:
        """Replay one, and give what it leaves to do."""
        journal = self._turns.journal
        del self._registry.dormant[row.key]
        execution = self.remade(row, journal)
        execution.log.last_position = recorded[-1].position
        running = self._registry.add(execution)
        running.started.set_result(None)
        left = Batch()
        if row.workflow in self._workflows:
            with self._turns.watch.over_code():
                left = recover(execution, journal, recorded, self._heartbeats)
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
