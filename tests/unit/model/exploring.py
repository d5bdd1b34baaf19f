"""Which states can be reached, and does one of them break what was promised? Breadth first, so a trace is shortest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True)
class Explored(Generic[State]):
    """What was seen. `complete`: every state within the bounds, none left out by the limit on their number."""

    states: int
    complete: bool
    broken: str = ""
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.states} states{'' if self.complete else ', cut off by the limit'}"
        if not self.broken:
            return f"{told}: nothing is broken"
        steps = "\n".join(f"{number:4}. {step}" for number, step in enumerate(self.trace, 1))
        return f"{told}: {self.broken}\n{steps}"


def explore(
    start: State,
    successors: Callable[[State], Iterable[tuple[str, State]]],
    broken: Callable[[State], str],
    most_states: int,
) -> Explored[State]:
    """Visit every state once. `broken` says what a state violates, or nothing.

    A state is remembered by its 64-bit hash, with the step and the state that led to it: a gigabyte would not hold
    the states themselves. Two of a million states share one with a probability of 3 in 100 million.
    """
    came_from: dict[int, tuple[int, str]] = {hash(start): (0, "")}
    frontier = [start]
    while frontier:
        following: list[State] = []
        for state in frontier:
            origin = hash(state)
            if why := broken(state):
                return Explored(len(came_from), False, why, _trace(came_from, origin))
            for step, reached in successors(state):
                key = hash(reached)
                if key not in came_from:
                    came_from[key] = (origin, step)
                    following.append(reached)
        if len(came_from) > most_states:
            return Explored(len(came_from), False)
        frontier = following
    return Explored(len(came_from), True)


def _trace(came_from: dict[int, tuple[int, str]], key: int) -> tuple[str, ...]:
    steps: list[str] = []
    while came_from[key][1]:
        key, step = came_from[key]
        steps.append(step)
    return tuple(reversed(steps))
