"""Does every feature survive a kill after every commit? Each program is lived again from what each left behind.

The tests of the component tier go further: every write, a lost disk, power that fails, two kills, real processes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from feature_programs import PROGRAMS, WORKFLOWS
from going_on import goes_on_as_if_nothing_had_been
from lives import Life
from recording import NAME, different, record


@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_after_any_commit_it_ends_the_same(tmp_path: Path, name: str) -> None:
    (tmp_path / "first").mkdir()
    first = record(tmp_path / "first" / NAME, WORKFLOWS, PROGRAMS[name].drive, Life())
    assert first.result == PROGRAMS[name].result
    lived = 0
    for lived, moment in enumerate(different(first.moments(power_lost=False)), 1):
        goes_on_as_if_nothing_had_been(PROGRAMS[name], moment, tmp_path / str(lived))
    assert lived > 5
