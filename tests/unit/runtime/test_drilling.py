"""When is the next drill due, and what does the status say of the last one?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from dormouse.keeper.client import NotDrilled
from dormouse.keeper.report import DrillResult
from dormouse.runtime import drilling
from dormouse.runtime.drill import Drill
from dormouse.runtime.drilling import FIRST_AFTER_SECONDS, Drilling, result_of, seconds_until
from dormouse.runtime.views import DrillView

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
WELL = DrillView(True, "2/7", 3, 0.5, [])


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, FIRST_AFTER_SECONDS),
        (NOON - timedelta(seconds=600), 3000),
        (NOON - timedelta(seconds=3590), FIRST_AFTER_SECONDS),
        (NOON - timedelta(days=9), FIRST_AFTER_SECONDS),
        (NOON + timedelta(days=9), 3600),  # the clock was set back
    ],
)
def test_the_interval_counts_over_all_lives(last: datetime | None, expected: float) -> None:
    assert seconds_until(3600, last, NOON) == expected


def test_a_result_names_the_position_or_the_problems() -> None:
    assert result_of(WELL, NOON) == DrillResult(
        "2026-05-01T12:00:00Z", "2/7", True, "2/7 was restored and is what the live side holds"
    )
    badly = result_of(DrillView(False, "2/7", 0, 0.5, ["table a differs", "execution b: no"]), NOON)
    assert (badly.ok, badly.message) == (False, "table a differs; execution b: no")


def test_a_drill_that_could_not_be_done_is_tried_again_and_each_result_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drilling, "seconds_until", lambda *_: 0.0)
    outcomes: list[DrillView | NotDrilled] = [NotDrilled("not now"), WELL]

    async def story() -> None:
        told = asyncio.Event()

        async def drill() -> DrillView:
            outcome = outcomes.pop(0)
            if isinstance(outcome, NotDrilled):
                raise outcome
            return outcome

        scheduled = Drilling(cast("Drill", drill), 0, None, told.set)
        running = asyncio.create_task(scheduled.run())
        await told.wait()
        running.cancel()
        assert scheduled.result is not None
        assert scheduled.result.position == "2/7"

    asyncio.run(story())
    assert outcomes == []
