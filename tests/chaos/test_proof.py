"""Is what `hack/chaos` proves true of a few rounds, and would it notice if it were not?"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from short_set import ASYNC, SPLIT_BRAIN, SYNC

_ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(600)


def chaos(*options: str, kept: bool = True) -> dict[str, Any]:
    ran = subprocess.run([_ROOT / "hack" / "chaos", "--json", *options], check=False, capture_output=True, text=True)
    assert ran.returncode == (0 if kept else 1), ran.stdout + ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


@pytest.mark.parametrize(
    "options",
    [
        SYNC,
        ASYNC,
        pytest.param(("--seed", "1000", "--rounds", "60"), marks=[pytest.mark.long, pytest.mark.timeout(1200)]),
    ],
    ids=["Sync", "Async", "long"],
)
def test_through_faults_of_all_kinds_every_promise_is_kept(options: tuple[str, ...]) -> None:
    said = chaos(*options)
    assert (said["chaos_lost"], said["chaos_corrupt"], said["chaos_rerun"], said["stuck"]) == (0, 0, 0, 0)
    assert said["counted"] == said["rounds"], "each round has to acknowledge something and to lose a life"


def test_a_zombie_acknowledges_nothing_that_its_successor_does_not_know() -> None:
    said = chaos(*SPLIT_BRAIN)
    assert said["counted"] == said["rounds"]
    assert said["chaos_lost"] == said["chaos_corrupt"] == said["chaos_rerun"] == 0


def test_without_the_reread_of_ownership_the_same_rounds_lose_data() -> None:
    said = chaos(*SPLIT_BRAIN, "--without-reread", kept=False)
    assert all(each["lost"] for each in said["told"]), said["told"]


def test_a_wrong_number_of_rounds_is_refused() -> None:
    ran = subprocess.run([_ROOT / "hack" / "chaos", "--rounds", "0"], check=False, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "--rounds and --jobs must be at least 1" in ran.stderr
