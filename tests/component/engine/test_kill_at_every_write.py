"""Does every feature survive a kill at every write? Each program is lived again on what each part of its writes left.

Three ways to die, at each moment of a program's life:
- killed: the process dies between two changes of its files, or just before or after a commit; what it had written
  stays in the page cache of the kernel, as after SIGKILL.
- power lost: only what a sync came after is left.
- disk lost: only what the store had when it answered the last barrier is left (durability Sync).

All these files are opened and checked by SQLite; an engine goes on from each one that says something different, or of
which the client knows something different.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random

import pytest
from feature_programs import PROGRAMS, WORKFLOWS
from going_on import goes_on_as_if_nothing_had_been
from lives import Life, Way
from programs import Program
from recording import NAME, Moment, different, record, record_replicated

FEW = ["gather", "shared", "updates", "children", "large values", "approvals"]
"""Enough for the ways that touch less of the engine."""
WAYS = [(way, name) for way in (Way.IN_MEMORY, Way.ONLY_IN_THE_FILE) for name in PROGRAMS]
WAYS += [(way, name) for way in (Way.WRITING_MEANWHILE, Way.ENCRYPTED) for name in FEW]


@pytest.mark.parametrize(("way", "name"), WAYS)
def test_killed_at_any_write_it_ends_the_same(tmp_path: Path, way: Way, name: str) -> None:
    program = PROGRAMS[name]
    (tmp_path / "first").mkdir()
    first = record(tmp_path / "first" / NAME, WORKFLOWS, program.drive, Life(way=way))
    assert first.result == program.result
    lived = 0
    for lived, moment in enumerate(different(chain(*(first.moments(power_lost=lost) for lost in (False, True)))), 1):
        goes_on_as_if_nothing_had_been(program, moment, tmp_path / str(lived))
    assert lived > 5


@pytest.mark.parametrize(("way", "name"), WAYS)
def test_with_the_disk_lost_at_any_moment_it_ends_the_same(tmp_path: Path, way: Way, name: str) -> None:
    program = PROGRAMS[name]
    (tmp_path / "first").mkdir()
    result, moments = record_replicated(tmp_path / "first" / NAME, WORKFLOWS, program.drive, Life(way=way))
    assert result == program.result
    for number, moment in enumerate(different(iter(moments))):
        goes_on_as_if_nothing_had_been(program, moment, tmp_path / str(number))


def second_crashes(program: Program, folder: Path, share: float = 1.0) -> Iterator[tuple[Moment, Moment]]:
    """Each moment of the first life, with each moment of the life that follows; or a share of both."""
    chance = Random(repr(program.result))
    (folder / "first").mkdir()
    first = record(folder / "first" / NAME, WORKFLOWS, program.drive, Life())
    for number, moment in enumerate(different(first.moments(power_lost=False))):
        if chance.random() > share:
            continue
        second = record(moment.write(folder / f"second-{number}"), WORKFLOWS, program.drive, moment.life.copy())
        for again in different(second.moments(power_lost=False)):
            if chance.random() <= share:
                yield moment, again


@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_twice_it_ends_the_same(tmp_path: Path, name: str) -> None:
    """A sample of the pairs; the long test takes all."""
    for number, (first, second) in enumerate(second_crashes(PROGRAMS[name], tmp_path, share=0.15)):
        path = goes_on_as_if_nothing_had_been(PROGRAMS[name], second, tmp_path / str(number))
        assert path.exists(), first.where


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_at_any_two_writes_it_ends_the_same(tmp_path: Path, name: str) -> None:
    for number, (first, second) in enumerate(second_crashes(PROGRAMS[name], tmp_path)):
        path = goes_on_as_if_nothing_had_been(PROGRAMS[name], second, tmp_path / str(number))
        assert path.exists(), first.where
