"""Does the bench count a step of a synchronous life only when the store has it?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from contenders import DORMOUSE
from engine_steps import take
from engine_sync import in_the_store

from dormouse_operator.dev.seaweedfs import SeaweedFS


def test_every_step_that_a_killed_synchronous_life_went_on_from_is_in_the_store(
    seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    contender = replace(in_the_store(DORMOUSE, seaweedfs), seconds=0.5)
    run = take(contender, 20, tmp_path)
    assert run.steps_per_second > 0
    assert run.lost == 0
