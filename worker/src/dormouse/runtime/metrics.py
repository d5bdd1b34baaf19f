"""What does a scrape by Prometheus see? The engine's own numbers, read when somebody asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate
from typing import TypeVar, get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from dormouse.engine.engine import Engine
from dormouse.engine.figures import Figures
from dormouse.engine.standing import Doing
from dormouse.engine.tally import AttemptTally, Durations, Tally
from dormouse.runtime.drill import Drilled

Labels = TypeVar("Labels", bound=tuple[str, ...])
UNKNOWN = "(unknown)"
"""Stands for the workflows of the file that the code does not have: of these there could be any number."""
_EXPONENTS = range(14, 41, 2)  # 16 microseconds to 18 minutes
_OUTCOMES = ("succeeded", "retried", "failed", "cancelled")


def exposition(engine: Engine, epoch: int, accept: str, drilled: Drilled | None = None) -> tuple[bytes, str]:
    """The numbers in the format that is asked for, and the name of that format; `drilled` is the last of this life."""
    registry = CollectorRegistry()
    registry.register(_EngineCollector(engine, epoch, drilled))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _EngineCollector(Collector):
    def __init__(self, engine: Engine, epoch: int, drilled: Drilled | None) -> None:
        self._engine = engine
        self._epoch = epoch
        self._drilled = drilled

    def collect(self) -> Iterator[Metric]:
        engine = self._engine
        yield InfoMetricFamily("dormouse", "The version.", {"version": version("dormouse")})
        yield GaugeMetricFamily("dormouse_epoch", "The epoch of this life; 0 without a keeper.", self._epoch)
        figures = engine.figures()
        yield from _of_moment(figures, engine.workflows)
        yield from _of_life(figures.tally, engine.workflows)
        yield from _of_drill(self._drilled)


def _of_moment(figures: Figures, known: Iterable[str]) -> Iterator[Metric]:
    family = GaugeMetricFamily("dormouse_executions", "Open executions.", labels=("workflow", "state"))
    executions = Counter({(name, state): 0 for name in known for state in get_args(Doing)})
    for (name, state), count in figures.executions.items():
        executions[_named(name, known), state] += count
    _add(family, executions)
    yield family
    for name, meaning, value in (
        ("attempts_running", "Attempts of activities that run.", figures.attempts_running),
        ("attempts_queued", "Attempts that wait until others end.", figures.attempts_queued),
        ("commits_waiting", "Commits that do not count yet.", figures.commits_waiting),
        ("timers", "Timers, retries and expiries that are set.", figures.timers),
        ("approvals_pending", "Requests for approval that wait for a decision.", figures.approvals),
        ("database_bytes", "Size of the database file.", figures.database_bytes),
        ("wal_bytes", "Size of its write-ahead log.", figures.wal_bytes),
    ):
        yield GaugeMetricFamily(f"dormouse_{name}", meaning, value)
    yield CounterMetricFamily("dormouse_loop_stalls", "Times that the event loop stood still.", figures.loop_stalls)


def _of_life(tally: Tally, known: Iterable[str]) -> Iterator[Metric]:
    started = CounterMetricFamily("dormouse_executions_started", "Executions that began.", labels=("workflow",))
    counts = Counter({(name,): 0 for name in known})
    for name, count in tally.started.items():
        counts[(_named(name, known),)] += count
    _add(started, counts)
    yield started
    closed = CounterMetricFamily("dormouse_executions_closed", "Executions that ended.", labels=("workflow", "status"))
    ends: Counter[tuple[str, str]] = Counter()
    for (name, status), count in tally.closed.items():
        ends[_named(name, known), str(status)] += count
    _add(closed, ends)
    yield closed
    yield CounterMetricFamily("dormouse_steps", "Activities with a result, or that failed for good.", tally.steps)
    yield CounterMetricFamily("dormouse_events", "Events that were written to the logs.", tally.events)
    yield _histogram("dormouse_commit_seconds", "How long commits took.", tally.commits)
    yield _histogram("dormouse_barrier_seconds", "How long it took until commits were in the store.", tally.barriers)
    yield from _of_attempts(tally.attempts.copy())


def _of_drill(drilled: Drilled | None) -> Iterator[Metric]:
    """Without a value until there was one: a 0 would be an alarm."""
    ok = None if drilled is None else float(drilled.ok)
    yield GaugeMetricFamily("dormouse_drill_success", "Whether the last drill of this life went well.", ok)
    at = None if drilled is None else drilled.at
    yield GaugeMetricFamily("dormouse_drill_timestamp_seconds", "When it ended, in seconds since 1970.", at)


def _of_attempts(attempts: dict[str, AttemptTally]) -> Iterator[Metric]:
    ended = CounterMetricFamily("dormouse_attempts", "Attempts that ended.", labels=("activity", "outcome"))
    took = HistogramMetricFamily("dormouse_attempt_seconds", "How long attempts took.", labels=("activity",))
    for name, tally in attempts.items():
        for outcome in _OUTCOMES:
            ended.add_metric((name, outcome), getattr(tally, outcome))
        took.add_metric((name,), _buckets(tally.durations), tally.durations.total_ns / 1e9)
    yield ended
    yield took


def _histogram(name: str, meaning: str, durations: Durations) -> Metric:
    return HistogramMetricFamily(name, meaning, buckets=_buckets(durations), sum_value=durations.total_ns / 1e9)


def _buckets(durations: Durations) -> Sequence[tuple[str, float]]:
    upto = list(accumulate(durations.counts))
    return [*((f"{2**exponent / 1e9:g}", upto[exponent]) for exponent in _EXPONENTS), ("+Inf", upto[-1])]


def _named(name: str, known: Iterable[str]) -> str:
    return name if name in known else UNKNOWN


def _add(family: GaugeMetricFamily | CounterMetricFamily, counts: Counter[Labels]) -> None:
    for labels, count in counts.items():
        family.add_metric(labels, count)
