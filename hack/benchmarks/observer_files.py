"""What do pulling, replaying and querying add to what anybody would have to do: restore, read a log, run SQL?"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import engine_replay
from durability_lives import MB, fill, living, run
from frame import Baseline, Measured, median
from keeper_pod import Workflow
from observed_files import long_history

from dormouse.keeper import litestream
from dormouse_observer.pulling import pull
from dormouse_observer.querying import query
from dormouse_observer.replaying import replayed
from dormouse_observer.verdict import Outcome
from dormouse_observer.whereabouts import Whereabouts

_FILES, _EVENTS_A_FILE, _REPLAYED = 200, 1_000, 10_000
_QUERY = "SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind"


def query_fanout_ratio(quick: bool) -> Measured:
    """The same query over the same files, with plain sqlite3 one after the other."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        folder = Path(name)
        content = long_history(folder / "one.sqlite", _EVENTS_A_FILE).read_bytes()
        files = [folder / f"{number}.sqlite" for number in range(_FILES)]
        for file in files:
            file.write_bytes(content)
        ours, theirs = [], []
        for _ in range(3 if quick else 15):
            began = time.perf_counter()
            found = query(files, _QUERY, limit=_FILES * 10, seconds=30).rows
            between = time.perf_counter()
            plain = [(str(file), *row) for file in files for row in _plainly(file)]
            theirs.append(time.perf_counter() - between)
            ours.append(between - began)
            assert found == plain
    ratios = tuple(one / other for one, other in zip(ours, theirs, strict=True))
    return Measured(ratios, Baseline(f"sqlite3 alone, {_FILES} files, seconds", median(theirs)))


def _plainly(file: Path) -> list[Any]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(_QUERY).fetchall()


def replay_events_ratio(quick: bool) -> Measured:
    """The same log: by `dormouse replay`, and by an engine that opens the file to go on with it."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        file = Path(name) / "db.sqlite"
        asyncio.run(engine_replay.make(file, _REPLAYED))
        known = {engine_replay.chain.name: engine_replay.chain}
        ours, theirs, events = [], [], 0
        for _ in range(5 if quick else 25):
            began = time.perf_counter()
            (verdict,) = replayed(file, known)
            ours.append(time.perf_counter() - began)
            assert verdict.outcome is Outcome.MATCH, verdict
            events = verdict.events
            theirs.append(asyncio.run(engine_replay.open_seconds(file)))
    ratios = tuple(other / one for one, other in zip(ours, theirs, strict=True))
    return Measured(ratios, Baseline("the engine's own, events/s", events / median(theirs)))


def pull_ratio(quick: bool) -> Measured:
    """A pull, and Litestream's restore within it, which checks every page: two restores would differ by more."""
    ours, theirs = run(lambda made: _pulls(made, 3 if quick else 9))
    ratios = tuple(one / other for one, other in zip(ours, theirs, strict=True))
    return Measured(ratios, Baseline("litestream restore, seconds", median(theirs)))


async def _pulls(made: Workflow, rounds: int) -> tuple[list[float], list[float]]:
    async with living(made, 1) as pod:
        fill(pod.database, 50 * MB)
        await pod.keeper.barrier()
    *_, namespace, name = made.layout.root.rstrip("/").split("/")
    whereabouts = Whereabouts(made.location, made.layout, namespace, name)
    made.folder.mkdir(parents=True, exist_ok=True)
    ours, theirs = [], []
    for number in range(rounds + 1):  # the first one fills the caches of the store and of the machine
        target = made.folder / f"pulled-{number}.sqlite"
        with _restores_timed() as seconds:
            began = time.perf_counter()
            await pull(whereabouts, None, target)
            ours.append(time.perf_counter() - began)
        theirs.append(sum(seconds))
        target.unlink()
    return ours[1:], theirs[1:]


@contextmanager
def _restores_timed() -> Iterator[list[float]]:
    """How long each run of `litestream restore` took."""
    taken: list[float] = []
    restore = litestream.restore

    async def timed(*arguments: Any) -> str | None:
        began = time.perf_counter()
        try:
            return await restore(*arguments)
        finally:
            taken.append(time.perf_counter() - began)

    with patch.object(litestream, "restore", timed):
        yield taken
