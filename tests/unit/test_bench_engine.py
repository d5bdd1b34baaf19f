"""Does the engine's bench count only what survived, and know a lost step?"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import engine_steps
from engine_steps import Contender, Step, records, take

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
    run = take(engine_steps.DORMOUSE, 3, tmp_path)
    assert run.steps_per_second > 0
    known = engine_steps.recorded_by_dormouse(tmp_path / "db.sqlite")
    assert {Step(workflow, 0) for workflow in range(3)} <= known
    assert engine_steps.floor_seconds(tmp_path / "db.sqlite", tmp_path / "floor.sqlite") > 0
