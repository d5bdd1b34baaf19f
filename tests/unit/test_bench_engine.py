"""Does the engine's bench count only what survived, and know a lost step?"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import rivals
from contenders import DORMOUSE, Contender, DidNotStart, Step, process, recorded_by_dormouse
from engine_steps import commits_of, floor_seconds, ratio, recorded_speed, records, take
from frame import Unavailable

from dormouse import Engine, activity, workflow
from dormouse.engine.durability import LocalOnly

RECORD = struct.Struct("<iiq")
# Makes steps without end, of which `recorded` below knows those with even numbers.
PROGRAM = """
import itertools, os, struct, sys, time
side = os.open(sys.argv[1] + "/side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in itertools.count():
    os.write(side, struct.pack("<iiq", 0, number, time.monotonic_ns()))
    time.sleep(0.001)
"""


def contender(known: set[Step]) -> Contender:
    return Contender("test", lambda: [sys.executable, "-c", PROGRAM], lambda _: known, seconds=0.2)


def test_what_the_database_does_not_know_is_lost(tmp_path: Path) -> None:
    even = {Step(0, number) for number in range(0, 100_000, 2)}
    run = take(contender(even), 1, tmp_path)
    assert run.lost == len(records(tmp_path)) // 2
    assert run.steps_per_second > 0


def test_what_is_lost_counts_for_nothing(tmp_path: Path) -> None:
    run = take(contender(set()), 1, tmp_path)
    assert run.lost == len(records(tmp_path)) > 0
    assert run.steps_per_second == 0


def test_a_record_that_the_kill_cut_in_two_is_none(tmp_path: Path) -> None:
    (tmp_path / "side").write_bytes(RECORD.pack(1, 2, 3) + RECORD.pack(1, 3, 4)[:7])
    assert records(tmp_path) == [(Step(1, 2), 3)]


def test_our_own_log_and_the_side_file_speak_of_the_same_steps(tmp_path: Path) -> None:
    run = take(DORMOUSE, 3, tmp_path)
    assert run.steps_per_second > 0
    known = recorded_by_dormouse(tmp_path / "db.sqlite")
    assert {Step(workflow, 0) for workflow in range(3)} <= known
    assert floor_seconds(tmp_path / "db.sqlite", tmp_path / "floor.sqlite") > 0


def test_without_a_side_file_the_log_says_how_many_steps_a_second_there_were(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE event (position INTEGER, kind TEXT, at INTEGER)")
        moments = [5_000_000, 5_300_000, 5_400_000, 5_800_000, 6_300_000]
        rows = [(number, "ActivityCompleted", at) for number, at in enumerate(moments)]
        connection.executemany("INSERT INTO event VALUES (?, ?, ?)", [*rows, (9, "ActivityScheduled", 9_000_000)])
    assert recorded_speed(file, 0.3) == (3.0, 5)


def test_the_floor_commits_the_same_rows_together_as_the_engine(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite"

    async def run() -> set[int]:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
            durability = Ends(reader)
            async with Engine(file, [chain], durability=durability) as engine:
                await asyncio.gather(*[(await engine.start(chain)).result() for _ in range(5)])
        return durability.ends

    file.touch()
    ends = asyncio.run(run())
    with closing(sqlite3.connect(file)) as connection:
        commits = commits_of(connection)
        assert [row for rows in commits for row in rows] == list(connection.execute("SELECT * FROM event"))
    assert len(commits) > 5
    assert {rows[-1][0] for rows in commits} <= ends


def test_a_start_between_two_decisions_does_not_part_their_commit() -> None:
    kinds = ["ExecutionStarted", "ActivityScheduled", "ActivityCompleted"]
    kinds += ["ActivityScheduled", "ExecutionStarted", "ActivityScheduled", "ActivityCompleted"]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE event (position INTEGER, kind TEXT)")
        connection.executemany("INSERT INTO event VALUES (?, ?)", enumerate(kinds))
        commits = commits_of(connection)
    assert [len(rows) for rows in commits] == [3, 4]


class Ends(LocalOnly):
    """Notes where the log ends after each commit."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader
        self.ends: set[int] = set()

    def after_commit(self) -> None:
        self.ends.add(self._reader.execute("SELECT coalesce(max(position), 0) FROM event").fetchone()[0])


@activity
async def step() -> None: ...


@workflow
async def chain() -> None:
    for _ in range(10):
        await step()


def test_a_step_that_a_replay_comes_by_again_counts_once(tmp_path: Path) -> None:
    program = PROGRAM.replace("itertools.count()", "itertools.cycle(range(5))")
    again = Contender("test", lambda: [sys.executable, "-c", program], None, seconds=0.2, settling_seconds=0.1)
    assert take(again, 1, tmp_path).steps_per_second == 0


def test_a_contender_that_does_not_start_is_told_of_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = Contender("test", lambda: [sys.executable, "-c", "raise SystemExit('no such port')"], None, seconds=1)
    with pytest.raises(DidNotStart, match="no such port"):
        take(broken, 1, tmp_path)


def test_a_rival_that_does_not_start_costs_its_figure_and_no_other() -> None:
    broken = Contender("test", lambda: [sys.executable, "-c", "raise SystemExit('no such port')"], None, seconds=1)
    ours = Contender("ours", lambda: [sys.executable, "-c", PROGRAM], None, seconds=0.1, settling_seconds=0)
    with pytest.raises(Unavailable, match="test did not start: no such port"):
        ratio(ours, broken, 1, 1)


def test_the_server_beside_a_contender_ends_with_it(tmp_path: Path) -> None:
    sleeping = ["sleep", "600"]
    servers: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def server(folder: Path) -> Iterator[list[str]]:
        with process(sleeping, folder / "server.log") as one:
            servers.append(one)
            yield ["address"]

    program = f"import sys; assert sys.argv[3] == 'address'\n{PROGRAM}"
    take(Contender("test", lambda: [sys.executable, "-c", program], None, seconds=0.1, server=server), 1, tmp_path)
    assert servers[0].returncode == -signal.SIGKILL


def test_a_rival_that_cannot_be_installed_is_unavailable_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert rivals.preparing("restate-server")() > 0
    with pytest.raises(Unavailable, match="restate-server comes by npm, which is not installed"):
        rivals.restate_server()


def test_what_an_installation_says_last_is_why_the_figure_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho some >&2\necho 'registry: no route to host' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(Unavailable, match="no route to host"):
        rivals.restate_server()
    assert rivals.preparing("restate-server")() > 0
