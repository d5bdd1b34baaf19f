"""Does the count from outside tell a rerun that is allowed from one that is not?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "data_pipeline"
SURVEYS = ["survey_airports-1", "survey_cars-2", "survey_weather-3", "survey_stocks-4"]
YEARS = [f"year_of_weather-{sequence}" for sequence in (6, 7, 8, 9)]
GROWTH = [f"stock_growth-{sequence}" for sequence in (10, 11, 12, 13, 14)]
WHOLE = [*SURVEYS, *YEARS, *GROWTH, *["register-15"] * 3, "publish-16"]


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(EXAMPLE)
    import attempts

    yield attempts
    sys.modules.pop("attempts", None)


def complaints(counting: ModuleType, *lives: list[str]) -> Any:
    made = [
        counting.Attempt(counting.step_of(f"attempts/data_pipeline/main/{step}/x"), epoch)
        for epoch, steps in enumerate(lives, 1)
        for step in steps
    ]
    return counting.complaints(made, planned_failures=2)


def test_one_whole_life_is_fine(counting: ModuleType) -> None:
    assert complaints(counting, WHOLE) == []


def test_a_chained_step_that_was_cut_short_may_run_again(counting: ModuleType) -> None:
    assert complaints(counting, [*SURVEYS, *YEARS[:2]], WHOLE[5:]) == []


def test_steps_side_by_side_that_were_cut_short_may_all_run_again(counting: ModuleType) -> None:
    assert complaints(counting, [*SURVEYS, *YEARS, *GROWTH[:3]], WHOLE[8:]) == []


def test_a_step_that_its_successor_had_waited_for_may_not_run_again(counting: ModuleType) -> None:
    assert complaints(counting, [*SURVEYS, *YEARS[:3]], WHOLE[5:]) == [
        "year_of_weather-7 ran 2 times, at most 1 were allowed"
    ]


def test_each_life_that_was_cut_short_allows_one_more_run_and_not_two(counting: ModuleType) -> None:
    assert complaints(counting, [*SURVEYS, *YEARS[:2]], [YEARS[1]], WHOLE[5:]) == []
    assert complaints(counting, [*SURVEYS, *YEARS[:2]], [YEARS[1], *YEARS[1:]], WHOLE[7:]) == [
        "year_of_weather-7 ran 3 times, at most 2 were allowed"
    ]


def test_a_missing_step_is_named(counting: ModuleType) -> None:
    assert complaints(counting, WHOLE[:-1]) == ["publish has 0 steps instead of 1"]


def test_a_planned_failure_that_never_came_is_named(counting: ModuleType) -> None:
    assert complaints(counting, [step for step in WHOLE if step != "register-15"] + ["register-15"]) == [
        "register-15 ran 1 times, its plan asks for 3"
    ]
