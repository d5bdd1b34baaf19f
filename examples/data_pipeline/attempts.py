"""Which steps ran how often, and which were acknowledged? Told from the attempt objects alone.

Nothing here asks the engine. A step is a call of an activity, named by its place in the workflow.
It counts as acknowledged once a step that had to wait for it has begun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# What waits for what in pipeline.py: a stage begins when the one before it is done.
STAGES: tuple[frozenset[str], ...] = (
    frozenset({"survey_airports", "survey_cars", "survey_weather", "survey_stocks"}),
    frozenset({"year_of_weather"}),
    frozenset({"stock_growth"}),
    frozenset({"register"}),
    frozenset({"publish"}),
)
# Stages whose steps come one after another, instead of side by side.
CHAINED = frozenset({"year_of_weather"})
# How many steps each activity has with the data files of vega_datasets: four years, five symbols.
STEPS: dict[str, int] = {name: 1 for stage in STAGES for name in stage} | {
    "year_of_weather": 4,
    "stock_growth": 5,
}


@dataclass(frozen=True, order=True)
class Step:
    activity: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.activity}-{self.sequence}"


@dataclass(frozen=True)
class Attempt:
    step: Step
    epoch: int


def step_of(key: str) -> Step:
    """Read the step from an object's key: attempts/<workflow>/<execution>/<activity>-<sequence>/<unique>."""
    activity, _, sequence = key.split("/")[3].rpartition("-")
    return Step(activity, int(sequence))


def place(step: Step) -> tuple[int, int]:
    """Say where in the order a step stands; steps that run side by side stand in the same place."""
    stage = next(index for index, names in enumerate(STAGES) if step.activity in names)
    return stage, step.sequence if step.activity in CHAINED else 0


def unacknowledged(begun: Iterable[Step]) -> set[Step]:
    """Pick the steps that nothing had waited out: the last place that was reached."""
    steps = set(begun)
    last = max((place(step) for step in steps), default=None)
    return {step for step in steps if place(step) == last}


def complaints(attempts: Iterable[Attempt], planned_failures: int) -> list[str]:
    """Name every step that is missing, or that ran more often than its plan and the ends of its lives allow.

    A life that was cut short may leave its unacknowledged steps to be run once more by the next one.
    """
    attempts = list(attempts)
    counted = Counter(attempt.step for attempt in attempts)
    planned = {"register": 1 + planned_failures}
    allowed = Counter({step: planned.get(step.activity, 1) for step in counted})
    for epoch in sorted({attempt.epoch for attempt in attempts})[:-1]:
        allowed.update(unacknowledged(attempt.step for attempt in attempts if attempt.epoch <= epoch))
    found = [
        f"{step} ran {times} times, at most {allowed[step]} were allowed"
        for step, times in sorted(counted.items())
        if times > allowed[step]
    ]
    steps = Counter(step.activity for step in counted)
    found += [
        f"{activity} has {steps[activity]} steps instead of {wanted}"
        for activity, wanted in STEPS.items()
        if steps[activity] != wanted
    ]
    found += [
        f"{step} ran {times} times, its plan asks for {planned[step.activity]}"
        for step, times in sorted(counted.items())
        if times < planned.get(step.activity, 1)
    ]
    return found
