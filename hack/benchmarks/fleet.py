"""What does the operator cost with thousands of DurableWorkflows? kwok has their pods, a real API server the rest.

docs/benchmarks.md says what each figure means. All of them come from one run, and from one of a bare loop.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import fleet_docs
import fleet_run
from fleet_programs import say
from fleet_run import Costs, Size
from frame import Baseline, Figure, Measured, Unavailable, run

QUICK = Size(workflows=40, tenants=2, changes=0, steady_seconds=0, failing=0)
WHOLE = 10_000
_QUICK_SECONDS = 45.0
_FEWEST, _MOST = 20, 50_000
_FOR_THE_BARE_LOOP = 2_000
"""What it costs it knows after so many: it looks at no other workflow."""


def size_of(workflows: int) -> Size:
    """Of a run that is not quick: as many tenants, changes and failing workflows as go with it."""
    return Size(
        workflows=workflows,
        tenants=20 if workflows >= 1_000 else 5,
        changes=100 if workflows >= 1_000 else 30,
        steady_seconds=300 if workflows >= 1_000 else 60,
        failing=workflows // 10,
    )


def _options() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument("--workflows", type=_count, default=WHOLE, metavar="N", help=f"so many instead of {WHOLE:,}")
    return made


def _count(told: str) -> int:
    if not (told.isdecimal() and _FEWEST <= int(told) <= _MOST):
        raise argparse.ArgumentTypeError(f"is {told!r}, must be a whole number from {_FEWEST} to {_MOST:,}")
    return int(told)


def _size(quick: bool) -> Size:
    return QUICK if quick else size_of(_options().parse_known_args()[0].workflows)


def _more(quick: bool) -> dict[str, int]:
    size = _size(quick)
    return {"workflows": size.workflows, "tenants": size.tenants, "failing": size.failing}


@functools.cache
def costs(quick: bool) -> Costs:
    """Of the one run. Raises Unavailable when it is to be quick."""
    if quick:
        raise Unavailable("all but fleet_writes take minutes; leave --quick away, and ask for fewer --workflows")
    size = _size(quick)
    say(f"{size.workflows:,} workflows of {size.tenants} tenants, {size.failing:,} more that fail")
    return fleet_run.take(size)


_Take = Callable[[bool], Measured]


def _one(of: Callable[[Costs], float], baseline: Callable[[Costs], Baseline | None] = lambda _: None) -> _Take:
    def take(quick: bool) -> Measured:
        found = costs(quick)
        return Measured((of(found),), baseline(found))

    return take


def cpu_ratio(quick: bool) -> Measured:
    """The bare loop has the same fleet, on a ground of its own."""
    found = costs(quick)
    few = replace(found.size, workflows=min(found.size.workflows, _FOR_THE_BARE_LOOP))
    say(f"the bare loop with {few.workflows:,}")
    bare = fleet_run.bare_cpu(few, found.script)
    return Measured(
        (found.create_cpu / found.size.created / bare,),
        Baseline("a bare loop, seconds of a core for one workflow", bare),
    )


def writes(quick: bool) -> Measured:
    """In a quick run of so few that it is over once they run."""
    found = fleet_run.writes(QUICK) if quick else costs(quick).writes
    counted = sum(count for what, count in found.items() if what[1] != "events" and what != ("create", "pods"))
    return Measured((counted / found["create", "pods"],))


FIGURES: Sequence[Figure] = [
    Figure(
        "fleet_writes",
        "API writes for a workflow besides creating its pod, Events apart, until it runs",
        3,
        "lower",
        writes,
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
        "CPU of the operator for one workflow, from its creation until it runs / of a bare loop that makes the same "
        "writes",
        2.5,
        "lower",
        cpu_ratio,
    ),
]

if __name__ == "__main__":
    write_docs = partial(fleet_docs.write, FIGURES)
    sys.exit(run("fleet", FIGURES, sys.argv[1:], write_docs=write_docs, more_options=[_options()], more=_more))
