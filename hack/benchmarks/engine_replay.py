"""How long does a replay take beside plain reading of the same rows, and does it stay linear?"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from frame import Baseline, Measured, median

from dormouse import Engine, activity, workflow

_SMALL, _TYPICAL, _LARGE = 1_000, 10_000, 100_000
_EVENTS_A_STEP = 2


@activity
async def step(number: int, events: int) -> int:
    if number * _EVENTS_A_STEP >= events:
        await asyncio.Event().wait()  # the rest of the file is for ever open
    return number


@workflow
async def chain(events: int) -> None:
    for number in itertools.count(1):
        await step(number, events)


async def make(path: Path, events: int) -> None:
    """A file with one open execution of about so many events."""
    async with Engine(path, [chain]) as engine:
        await engine.start(chain, events, id="chain")
        while _events(path) < events:  # noqa: ASYNC110 - the engine has no event for that
            await asyncio.sleep(0.2)


async def open_seconds(path: Path) -> float:
    """From the opening of the file until every execution is where it was."""
    engine = Engine(path, [chain])
    began = time.perf_counter()
    await engine.__aenter__()
    await engine.recovered()
    seconds = time.perf_counter() - began
    await engine.close()
    return seconds


def _read_seconds(path: Path) -> float:
    """Reading all rows of the log, and decoding every payload, with nothing else."""
    began = time.perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        decode = msgspec.json.Decoder().decode
        for row in connection.execute("SELECT * FROM event ORDER BY position"):
            if row[9] is not None:
                decode(row[9])
    return time.perf_counter() - began


def _events(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM event").fetchone()
        return int(count)


def _in_scratch(take: Callable[[Path], Measured]) -> Measured:
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        return take(Path(name))


def replay_ratio(quick: bool) -> Measured:
    def take(folder: Path) -> Measured:
        path = folder / "db.sqlite"
        asyncio.run(make(path, _TYPICAL))
        pairs = [(asyncio.run(open_seconds(path)), _read_seconds(path)) for _ in range(5 if quick else 25)]
        baseline = Baseline("sqlite3 and msgspec alone, seconds", median([read for _, read in pairs]))
        return Measured(tuple(replayed / read for replayed, read in pairs), baseline)

    return _in_scratch(take)


def replay_scale_ratio(quick: bool) -> Measured:
    """Time an event in a long log over time an event in a short one, less what it takes to open an empty file."""

    def take(folder: Path) -> Measured:
        empty, short, long = (folder / name for name in ("empty.sqlite", "short.sqlite", "long.sqlite"))
        asyncio.run(open_seconds(empty))
        asyncio.run(make(short, _SMALL))
        asyncio.run(make(long, _LARGE))
        rounds = 3 if quick else 9
        opening = median([asyncio.run(open_seconds(empty)) for _ in range(rounds * 5)])
        pairs = []
        for _ in range(rounds):
            of_short = median([asyncio.run(open_seconds(short)) for _ in range(5)]) - opening
            pairs.append(((asyncio.run(open_seconds(long)) - opening) / _events(long), of_short / _events(short)))
        baseline = Baseline("with 1,000 events, seconds an event", median([other for _, other in pairs]))
        return Measured(tuple(one / other for one, other in pairs), baseline)

    return _in_scratch(take)
