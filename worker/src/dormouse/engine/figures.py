"""How do things stand with an engine, and what has it done, in numbers? Looked up when somebody asks."""

from __future__ import annotations

from collections import Counter

import msgspec

from dormouse.engine.database import Database
from dormouse.engine.registry import Registry
from dormouse.engine.standing import Doing, doing, dormant_does
from dormouse.engine.tally import Tally
from dormouse.engine.turns import Turns


class Figures(msgspec.Struct, frozen=True):
    """What there is at this moment.

    Attributes:
        executions: the open ones, by workflow and what they do.
        attempts_running, attempts_queued: of activities; the latter wait until others end.
        timers: what is due at some moment: timers, retries, expiries, executions that are only in the file.
        commits_waiting: those that do not count yet.
        approvals: requests that wait for a decision.
        loop_stalls: how often the event loop stood still so far.
        tally: what this life has done; it goes on counting.
    """

    executions: Counter[tuple[str, Doing]]
    attempts_running: int
    attempts_queued: int
    timers: int
    commits_waiting: int
    approvals: int
    loop_stalls: int
    database_bytes: int
    wal_bytes: int
    tally: Tally


def figures(registry: Registry, turns: Turns, database: Database) -> Figures:
    """Count what is there."""
    holds = turns.alarms.holds
    executions = Counter((one.execution.workflow.name, doing(one.execution, holds)) for one in registry)
    executions.update((one.workflow, dormant_does(one)) for one in registry.out_of_memory())
    database_bytes, wal_bytes = database.sizes()
    return Figures(
        executions,
        turns.attempts.running,
        turns.attempts.queued,
        len(turns.alarms),
        turns.commits_waiting,
        database.count_approvals(),
        turns.watch.stalls,
        database_bytes,
        wal_bytes,
        turns.tally,
    )
