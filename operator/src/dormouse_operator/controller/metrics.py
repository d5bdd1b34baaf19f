"""What does a scrape by Prometheus see of this replica? Everything that has a name there, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate
from typing import TypeVar

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

from dormouse.engine.tally import Durations
from dormouse_operator.controller.figures import Figures, Leading
from dormouse_operator.controller.tally import Tally

Labels = TypeVar("Labels", bound=tuple[str, ...])
Name = TypeVar("Name", bound=str)
_SHORT = range(17, 38, 2)  # 0.13 ms to 137 s
_LONG = range(28, 42)  # 0.27 s to 37 minutes


def exposition(tally: Tally, figures: Figures, accept: str) -> tuple[bytes, str]:
    """The numbers in the format that is asked for, and the name of that format."""
    registry = CollectorRegistry()
    registry.register(_Replica(tally, figures))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Replica(Collector):
    def __init__(self, tally: Tally, figures: Figures) -> None:
        self._tally = tally
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("dormouse_operator", "The version.", {"version": version("dormouse")})
        leading = self._figures.leading
        yield _gauge("leader", "Whether this replica leads.", float(leading is not None))
        yield _gauge("ready", "Whether it would notice what happens in the cluster.", float(self._figures.is_ready))
        yield from _of_life(self._tally)
        if leading is not None:
            yield from _of_moment(leading)


def _of_life(tally: Tally) -> Iterator[Metric]:
    yield _counter("reconciles", "Steps that ended.", ("kind", "outcome"), tally.reconciles)
    took = HistogramMetricFamily("dormouse_operator_reconcile_seconds", "How long steps took.", labels=("kind",))
    for kind, durations in tally.reconciling.items():
        took.add_metric((kind,), _buckets(durations, _SHORT), durations.total_ns / 1e9)
    yield took
    yield _counter(
        "api_requests", "Requests to the API server, without watches.", ("verb", "resource", "code"), tally.requests
    )
    yield CounterMetricFamily("dormouse_operator_watches_ended", "Times that all watches ended.", tally.watches_ended)
    yield _counter("store_turns", "Questions to stores.", ("question", "outcome"), tally.turns)
    yield CounterMetricFamily(
        "dormouse_operator_store_turns_delayed", "Those that had to wait for others.", tally.turns_delayed
    )
    yield _gauge("store_turns_waiting", "Questions that wait for others of the same store.", tally.turns_waiting)
    asked = tally.store_requests
    yield _counter("store_requests", "Requests to stores.", ("operation", "outcome"), asked.counts)
    yield _counter("store_bytes", "Bytes of objects to and from stores.", ("operation",), _single(asked.bytes))
    yield _counter("events", "Events, by what became of them.", ("outcome",), _single(tally.events))
    yield _counter("reports", "Reports of running pods.", ("outcome",), _single(tally.reports))
    for name, meaning, durations in (
        ("restore_seconds", "From the creation of a pod until it was ready.", tally.restores),
        ("failover_seconds", "From a failure until the workflow was ready again.", tally.failovers),
    ):
        yield HistogramMetricFamily(
            f"dormouse_operator_{name}",
            meaning,
            buckets=_buckets(durations, _LONG),
            sum_value=durations.total_ns / 1e9,
        )


def _of_moment(leading: Leading) -> Iterator[Metric]:
    load, standing = leading.load, leading.standing
    yield _gauge("queue_depth", "Objects that wait for a step.", load.ready)
    yield _gauge("queue_oldest_seconds", "How long the one has waited that has waited longest.", load.oldest_seconds)
    yield _gauge("queue_working", "Objects that a step works on.", load.working)
    yield _gauge("queue_failing", "Objects whose last step failed.", load.failing)
    yield _gauges("workflows", "DurableWorkflows.", ("namespace", "phase"), standing.workflows)
    labels = ("namespace", "condition", "reason")
    yield _gauges("troubled_workflows", "DurableWorkflows with such a condition.", labels, standing.troubles)
    since = GaugeMetricFamily(
        "dormouse_operator_troubled_since_timestamp_seconds",
        "Since when the first of them has it, in seconds since 1970.",
        labels=("namespace", "condition"),
    )
    for place, moment in standing.troubled_since.items():
        since.add_metric(place, moment)
    yield since
    yield _gauges("pods", "Pods of DurableWorkflows.", ("namespace", "phase"), standing.pods)
    yield _gauges("object_stores", "ObjectStores.", ("namespace", "available"), standing.stores)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"dormouse_operator_{name}", meaning, value)


def _gauges(name: str, meaning: str, labels: tuple[str, ...], counts: Counter[Labels]) -> Metric:
    family = GaugeMetricFamily(f"dormouse_operator_{name}", meaning, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _counter(name: str, meaning: str, labels: tuple[str, ...], counts: Counter[Labels]) -> Metric:
    family = CounterMetricFamily(f"dormouse_operator_{name}", meaning, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _single(counts: Counter[Name]) -> Counter[tuple[Name]]:
    return Counter({(name,): count for name, count in counts.items()})


def _buckets(durations: Durations, exponents: Sequence[int]) -> Sequence[tuple[str, float]]:
    upto = list(accumulate(durations.counts))
    return [*((f"{2**exponent / 1e9:g}", upto[exponent]) for exponent in exponents), ("+Inf", upto[-1])]
