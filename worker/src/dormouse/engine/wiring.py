"""What is an engine made of, and which of its parts knows which?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dormouse.engine.clock import Clock
from dormouse.engine.control import Control
from dormouse.engine.database import Database
from dormouse.engine.definitions import Workflow
from dormouse.engine.dormancy import Dormancy
from dormouse.engine.durability import Durability
from dormouse.engine.family import Family
from dormouse.engine.outcomes import Before, Run
from dormouse.engine.pausing import Pausing
from dormouse.engine.reading import Reading
from dormouse.engine.recovery import Recovery
from dormouse.engine.registry import Registry
from dormouse.engine.retention import Keeping, Retention
from dormouse.engine.sealing import Codec
from dormouse.engine.starting import Starting
from dormouse.engine.tracing import Telemetry, Tracing
from dormouse.engine.turns import Turns


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an engine was told, as `Engine` says; `replicated` when someone else copies the file, and checkpoints it."""

    path: Path
    workflows: Mapping[str, Workflow[..., Any]]
    durability: Durability
    replicated: bool
    identity: str | None
    clock: Clock
    activities_at_once: int
    threads: int
    app_version: str | None
    blocked_loop_seconds: float
    all_counts: bool
    resting_in_memory: int
    codec: Codec | None
    retention: Retention | None
    telemetry: Telemetry | None
    around_attempts: Callable[[Run], Run] | None
    before_attempt: Before | None


@dataclass(frozen=True)
class Parts:
    """An engine's parts, over one open file."""

    database: Database
    registry: Registry
    turns: Turns
    recovery: Recovery
    dormancy: Dormancy
    control: Control
    pausing: Pausing
    starting: Starting
    reading: Reading
    keeping: Keeping | None
    tracing: Tracing | None


def wired(settings: Settings) -> Parts:
    """Open the file and make the parts; nothing runs yet. For the loop that runs now."""
    database = Database(settings.path, checkpoints=not settings.replicated, codec=settings.codec)
    workflows, clock, app_version = settings.workflows, settings.clock, settings.app_version
    identity = settings.identity or database.identity()
    tracing = None if settings.telemetry is None else settings.telemetry.of_engine(identity)
    registry = Registry()
    turns = Turns(
        database,
        settings.durability,
        clock,
        identity,
        activities_at_once=settings.activities_at_once,
        threads=settings.threads,
        blocked_loop_seconds=settings.blocked_loop_seconds,
        counts=registry.counts,
        all_counts=settings.all_counts,
        around_attempts=() if settings.around_attempts is None else (settings.around_attempts,),
        before_attempt=settings.before_attempt,
        tracing=tracing,
    )
    recovery = Recovery(turns, registry, database, workflows)
    dormancy = Dormancy(turns, registry, database, clock, recovery.wake, settings.resting_in_memory)
    # These two know the turns, and the turns them.
    turns.dormancy = dormancy
    turns.family = Family(turns.journal, registry, dormancy, database, workflows, app_version, tracing)
    return Parts(
        database,
        registry,
        turns,
        recovery,
        dormancy,
        control=Control(turns, registry, dormancy, database, workflows, recovery.remade),
        pausing=Pausing(turns, registry, dormancy, database),
        starting=Starting(turns, registry, database, workflows, app_version),
        reading=Reading(turns, registry, database, workflows),
        keeping=None if settings.retention is None else Keeping(turns, database, clock, settings.retention),
        tracing=tracing,
    )
