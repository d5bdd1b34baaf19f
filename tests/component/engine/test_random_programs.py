"""Does a random program, disturbed at random, come to what asyncio alone would make of it?

A seed is a story: programs, what happens to them, and when their process dies. A few are told here each time. Thousands
more are, with `DORMOUSE_SEED` as the first and `DORMOUSE_STORIES` as their number, by

    pytest tests/component/engine/test_random_programs.py -m long

A failure names its seed; `DORMOUSE_SEED=<seed> DORMOUSE_STORIES=1` tells that story again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from random_lives import Story, plain_result
from recorded_disk import asked_before_each_change, never_refused

FIRST_SEED = int(os.environ.get("DORMOUSE_SEED", "1"))
STORIES = int(os.environ.get("DORMOUSE_STORIES", "3000"))
FEW = range(1, 13)


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Expected failures are not logged."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def tell(seed: int, folder: Path, *, races: bool) -> Story:
    """Live a story to its end, checked at the end of each life."""
    with asked_before_each_change(folder, never_refused):
        story = Story(folder / f"{seed}.sqlite", Random(seed), races=races)
        story.live()
    if not races:
        assert story.results() == {name: plain_result(program) for name, program in story.programs.items()}
    return story


@pytest.mark.parametrize("seed", FEW)
def test_a_program_asks_for_what_it_would_ask_for_on_asyncio_alone(tmp_path: Path, seed: int) -> None:
    tell(seed, tmp_path, races=True)


@pytest.mark.parametrize("seed", FEW)
def test_a_program_without_races_comes_to_what_it_always_comes_to(tmp_path: Path, seed: int) -> None:
    tell(seed, tmp_path, races=False)


@pytest.mark.parametrize("races", [True, False])
def test_a_seed_always_tells_the_same_story(tmp_path: Path, races: bool) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    for seed in (1, 2, 3):
        assert tell(seed, first, races=races).told == tell(seed, second, races=races).told


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("races", [True, False])
def test_thousands_of_programs(tmp_path: Path, races: bool) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + STORIES):
        try:
            story = tell(seed, tmp_path, races=races)
        except BaseException as error:
            error.add_note(f"DORMOUSE_SEED={seed} DORMOUSE_STORIES=1 tells this story again")
            raise
        story.path.unlink()
