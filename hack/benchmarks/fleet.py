"""What does the operator cost with thousands of DurableWorkflows? kwok has their pods, a real API server the rest.

docs/benchmarks.md says what each figure means. All of them come from one run, and from one of a bare loop.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence

import fleet_run
from fleet_run import Costs, Size
from frame import Baseline, Figure, Measured, Unavailable, run

QUICK = Size(workflows=100, tenants=5, changes=20, steady_seconds=10, failing=20)
WHOLE = Size(workflows=10_000, tenants=20, changes=100, steady_seconds=300, failing=1_000)
_QUICK_SECONDS = 40.0


@functools.cache
def costs(quick: bool) -> Costs:
    """Of the one run."""
    size = QUICK if quick else WHOLE
    print(f"fleet: {size.workflows} workflows of {size.tenants} tenants", file=sys.stderr)
    return fleet_run.take(size)


_Take = Callable[[bool], Measured]


def _one(of: Callable[[Costs], float], baseline: Callable[[Costs], Baseline | None] = lambda _: None) -> _Take:
    def take(quick: bool) -> Measured:
        found = costs(quick)
        return Measured((of(found),), baseline(found))

    return take


def cpu_ratio(quick: bool) -> Measured:
    """The bare loop has the same fleet, on a ground of its own."""
    if quick:
        raise Unavailable("so few cost next to nothing beside what the operator does anyway; leave --quick away")
    found = costs(quick)
    bare = fleet_run.bare_cpu(found.size, found.script)
    return Measured((found.create_cpu / bare,), Baseline("a bare loop, seconds of a core", bare))


def _writes(found: Costs) -> float:
    counted = sum(count for what, count in found.writes.items() if what[1] != "events" and what != ("create", "pods"))
    return counted / found.writes["create", "pods"]


FIGURES: Sequence[Figure] = [
    Figure(
        "fleet_writes",
        "API writes for a workflow besides creating its pod, Events apart, until it runs",
        3,
        "lower",
        _one(_writes),
        quick_seconds=_QUICK_SECONDS,
    ),
    Figure(
        "fleet_restart_writes",
        "API writes after a restart of the operator with nothing changed, its lease apart",
        0,
        "lower",
        _one(lambda found: found.restart_writes),
    ),
    Figure(
        "fleet_10k_rss_mib",
        "the operator's resident memory, the most that it ever was, the restart included",
        400,
        "lower",
        _one(lambda found: found.peak_rss_mib),
        unit="MiB",
    ),
    Figure(
        "fleet_steady_cpu",
        "share of a core in steady state",
        0.02,
        "lower",
        _one(lambda found: found.steady_cpu_share),
    ),
    Figure(
        "fleet_change_ratio",
        "CPU of the operator for one change among all / among 10",
        1.2,
        "lower",
        _one(
            lambda found: found.change_cpu_many / found.change_cpu_few,
            lambda found: Baseline("a change among 10, seconds of a core", found.change_cpu_few),
        ),
    ),
    Figure(
        "fairness_ratio",
        "how long a tenant's change takes while all lives of another's fail / alone",
        2,
        "lower",
        _one(
            lambda found: found.latency_beside_failing / found.latency_alone,
            lambda found: Baseline("alone, seconds", found.latency_alone),
        ),
    ),
    Figure(
        "fleet_10k_cpu_ratio",
        "CPU of the operator from the creation of all until they run / of a bare loop that makes the same writes",
        2.5,
        "lower",
        cpu_ratio,
    ),
]

if __name__ == "__main__":
    sys.exit(run("fleet", FIGURES, sys.argv[1:]))
