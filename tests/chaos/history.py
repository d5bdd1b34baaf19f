"""Was anything acknowledged lost or done again? Decided from the attempts that were seen from outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, order=True)
class Attempt:
    """One try of one step, by the life `epoch`."""

    at_ns: int
    step: int
    epoch: int
    given: str
    gives: str

    @classmethod
    def of_key(cls, key: str) -> Attempt:
        step, at_ns, epoch, given, gives = key.rsplit("/", 1)[1].split("-")
        return cls(int(at_ns), int(step), int(epoch), given, gives)


@dataclass(frozen=True)
class Loss:
    """A step that was acknowledged to the life `epoch` and yet ran again, or has another result now."""

    step: int
    epoch: int
    acknowledged_ns: int
    why: str
    kind: Literal["lost", "run again", "made up"] = "lost"


def losses(attempts: Iterable[Attempt], result: Sequence[str] | None) -> list[Loss]:
    """Every acknowledged step that did not stay so.

    A step counts as acknowledged once an attempt of its successor exists. It may not run again afterwards, in the same
    life or in a later one; an earlier life that still runs (a zombie) may repeat the one step that it was in, which no
    storage can prevent, but what was acknowledged to it must be what the result says. A result that is shorter than the
    history is what a store holds of a run that was not at its end.
    """
    by_step: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in sorted(attempts):
        by_step[attempt.step].append(attempt)
    found = []
    for step, tries in sorted(by_step.items()):
        for successor in by_step.get(step + 1, []):
            again = [
                attempt for attempt in tries if attempt.at_ns > successor.at_ns and attempt.epoch >= successor.epoch
            ]
            now = None if result is None else result[step] if step < len(result) else "gone"
            if again:
                why = f"ran again in epoch {again[0].epoch}"
                found.append(Loss(step, successor.epoch, successor.at_ns, why, "run again"))
            if now not in (None, successor.given):
                found.append(Loss(step, successor.epoch, successor.at_ns, f"is {now}, was {successor.given}"))
    if result is not None:
        for step, token in enumerate(result):
            if token not in {attempt.gives for attempt in by_step[step]}:
                found.append(Loss(step, 0, 0, f"{token} is the result of no attempt", "made up"))
    return found


def lost_spans_seconds(found: Iterable[Loss]) -> dict[int, float]:
    """For each life that lost something: the time between its first and its last acknowledgement that was lost."""
    times: dict[int, list[int]] = defaultdict(list)
    for loss in found:
        times[loss.epoch].append(loss.acknowledged_ns)
    return {epoch: (max(seen) - min(seen)) / 1e9 for epoch, seen in times.items()}
