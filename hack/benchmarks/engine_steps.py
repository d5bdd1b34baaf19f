"""How many steps a second does an engine make, and does it lose one when it is killed?

Each engine runs the same thing in a process of its own: so many workflows, each of which calls one step after the
other and, on the very next line, appends a record to a side file. After a while the process is killed with SIGKILL.
A step counts when the side file has it and the database, opened again, has it too. What only the side file has was
lost.
"""

from __future__ import annotations

import sqlite3
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from contenders import (
    DBOS,
    DORMOUSE,
    RESTATE,
    TEMPORAL,
    Contender,
    DidNotStart,
    Step,
    process,
    recorded_by_dormouse,
    wait_until,
)
from frame import Baseline, Measured, Unavailable, median

_RECORD = struct.Struct("<iiq")
_STARTED_WITHIN_SECONDS = 60


@dataclass(frozen=True)
class Run:
    """What one process did until it was killed."""

    steps_per_second: float
    lost: int


@contextmanager
def running(contender: Contender, workflows: int, folder: Path, *options: str) -> Iterator[None]:
    """The process at work: every workflow has been started and the first steps are made."""
    log = folder / "log"
    with contender.server(folder) as addresses:
        command = [*contender.command(), str(folder), str(workflows), *addresses, *options]
        with process(command, log) as running:
            wait_until(lambda: bool(records(folder)), _STARTED_WITHIN_SECONDS, running, log)
            time.sleep(contender.settling_seconds)
            yield


def records(folder: Path) -> list[tuple[Step, int]]:
    """The whole records of the side file, with the nanosecond of each."""
    try:
        data = (folder / "side").read_bytes()
    except FileNotFoundError:
        return []
    whole = len(data) // _RECORD.size * _RECORD.size
    return [(Step(workflow, number), at) for workflow, number, at in _RECORD.iter_unpack(data[:whole])]


def take(contender: Contender, workflows: int, folder: Path, *options: str) -> Run:
    """Run it for its seconds, kill it, compare the side file with the database."""
    with running(contender, workflows, folder, *options):
        began = time.monotonic_ns()
        time.sleep(contender.seconds)
        ended = time.monotonic_ns()
    seen = records(folder)
    known = contender.recorded(folder / "db.sqlite") if contender.recorded else {step for step, _ in seen}
    first = dict(reversed(seen))  # a replay may come by the same line again
    counted = sum(began < at <= ended and step in known for step, at in first.items())
    return Run(counted / (ended - began) * 1e9, sum(step not in known for step, _ in seen))


@contextmanager
def folder() -> Iterator[Path]:
    """On the disk of the temporary folder; it must be none of memory."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        yield Path(name)


def speed(contender: Contender, workflows: int) -> float:
    with folder() as place:
        return take(contender, workflows, place).steps_per_second


def ratio(contender: Contender, rival: Contender, workflows: int, rounds: int) -> Measured:
    """Ours over theirs: turn by turn, the median of the pairs, so that a slow moment of the machine hits both alike."""
    pairs = []
    for _ in range(rounds):
        ours = speed(contender, workflows)
        try:
            pairs.append((ours, speed(rival, workflows)))
        except DidNotStart as error:
            raise Unavailable(f"{rival.name} did not start: {str(error).splitlines()[-1]}") from error
    return Measured(
        tuple(ours / theirs for ours, theirs in pairs),
        Baseline(f"{rival.name}, steps/s", median([theirs for _, theirs in pairs])),
    )


def steps_100_ratio(quick: bool) -> Measured:
    return ratio(DORMOUSE, DBOS, 100, 1 if quick else 5)


def steps_1_ratio(quick: bool) -> Measured:
    return ratio(DORMOUSE, DBOS, 1, 1 if quick else 7)


def steps_100_restate_ratio(quick: bool) -> Measured:
    return ratio(DORMOUSE, RESTATE, 100, 1 if quick else 5)


def steps_100_temporal_ratio(quick: bool) -> Measured:
    return ratio(DORMOUSE, TEMPORAL, 100, 1 if quick else 3)


# The floor: what a loop without any engine needs for the same rows in the same commits.


_DECIDED = frozenset({"ActivityScheduled", "ExecutionCompleted", "ExecutionStarted"})
"""What the code of the bench's workflows decides, and their starts, which are numbered when they are asked for: between
two decisions, too. All else has happened to the code."""


def commits_of(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    """The log's rows in their order, committed as by the engine: what the code has decided, then what has happened.

    So a commit begins where a decision follows something else. One of nothing but decisions is taken together with the
    next, which makes the floor faster, never slower.
    """
    kind = [name for name, *_ in connection.execute("SELECT * FROM event LIMIT 1").description].index("kind")
    commits: list[list[tuple[object, ...]]] = []
    decided_before = False
    for row in connection.execute("SELECT * FROM event ORDER BY position"):
        decided = row[kind] in _DECIDED
        if not commits or (decided and not decided_before):
            commits.append([])
        commits[-1].append(row)
        decided_before = decided
    return commits


def recorded_speed(database: Path, seconds: float) -> tuple[float, int]:
    """Steps a second by the log's own moments, from so many seconds after the first step on; and all steps."""
    with closing(sqlite3.connect(database)) as connection:
        ended = "SELECT at FROM event WHERE kind = 'ActivityCompleted' ORDER BY position"
        moments = [at for (at,) in connection.execute(ended)]
    began = moments[0] + round(seconds * 1e6)
    return sum(at > began for at in moments) / (moments[-1] - began) * 1e6, len(moments)


def floor_seconds(database: Path, scratch: Path) -> float:
    """Append the log's rows to a new file as they were."""
    with closing(sqlite3.connect(database)) as source:
        schema = [sql for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE name = 'event'")]
        commits = commits_of(source)
    insert = f"INSERT INTO event VALUES ({', '.join('?' * len(commits[0][0]))})"
    with closing(sqlite3.connect(scratch, isolation_level=None)) as target:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 1000"):
            target.execute(f"PRAGMA {pragma}")
        target.execute(schema[0])
        began = time.perf_counter()
        for rows in commits:
            target.execute("BEGIN IMMEDIATE")
            target.executemany(insert, rows)
            target.execute("COMMIT")
        return time.perf_counter() - began


def steps_100_floor_ratio(quick: bool) -> Measured:
    """Steps of the engine over steps of the loop, which writes two rows a step as the engine does.

    Neither has a side file: a write of its own for each step is more than the loop itself does.
    The loop takes a third of the engine's second, in which a machine may be a third faster or slower than on average:
    so it runs three times, and the median counts.
    """
    pairs = []
    for _ in range(2 if quick else 15):
        with folder() as place:
            database = place / "db.sqlite"
            command = [*DORMOUSE.command(), str(place), "100", "--no-side-file"]
            with process(command, place / "log") as running:
                wait_until((place / "db.sqlite-wal").exists, _STARTED_WITHIN_SECONDS, running, place / "log")
                time.sleep(DORMOUSE.settling_seconds + DORMOUSE.seconds)
            ours, steps = recorded_speed(database, DORMOUSE.settling_seconds)
            floor = median([floor_seconds(database, place / f"floor-{number}.sqlite") for number in range(3)])
            pairs.append((ours, steps / floor))
    return Measured(
        tuple(ours / floor for ours, floor in pairs),
        Baseline("the same rows in the same commits by sqlite3 alone, steps/s", median([floor for _, floor in pairs])),
    )


# What a kill costs, and what a step writes.


def steps_lost_by_kill(quick: bool) -> Measured:
    """Steps that the workflow had seen and the file had not, over kills at other moments of the work."""
    lost = 0
    for number in range(3 if quick else 30):
        with folder() as place:
            with running(DORMOUSE, 100, place):
                time.sleep(0.01 + 0.0137 * number % 0.3)
            known = recorded_by_dormouse(place / "db.sqlite")
            lost += sum(step not in known for step, _ in records(place))
    return Measured((lost,))


def wal_bytes_step(quick: bool) -> Measured:
    """Everything that the WAL got, over the steps that it holds."""
    values = []
    for _ in range(1 if quick else 5):
        with folder() as place:
            with running(DORMOUSE, 100, place, "--nobody-checkpoints"):
                time.sleep(DORMOUSE.seconds)
            written = (place / "db.sqlite-wal").stat().st_size  # before anyone opens it, and empties it when it leaves
            values.append(written / len(recorded_by_dormouse(place / "db.sqlite")))
    return Measured(tuple(values))
