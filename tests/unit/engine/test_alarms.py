"""Which timer is next?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dormouse.engine.alarms import Alarms
from dormouse.engine.clock import SECOND, ManualClock


@dataclass(frozen=True)
class Owner:
    key: int = 1


@dataclass(frozen=True)
class Waiting:
    command: int
    due: int
    execution: Owner = Owner()


def alarms_of(*seconds: float) -> tuple[ManualClock, Alarms, list[Any], list[Any]]:
    clock = ManualClock(0)
    rung: list[Any] = []
    alarms = Alarms(clock, rung.append)
    waiting = [Waiting(number, round(one * SECOND)) for number, one in enumerate(seconds)]
    for one in waiting:
        alarms.set(one)  # type: ignore[arg-type]
    return clock, alarms, waiting, rung


def test_they_ring_in_the_order_in_which_they_are_due() -> None:
    clock, _, waiting, rung = alarms_of(3, 1, 2)
    clock.advance(5)
    assert rung == [waiting[1], waiting[2], waiting[0]]


def test_nothing_rings_early() -> None:
    clock, alarms, waiting, rung = alarms_of(3, 1)
    clock.advance(2)
    assert rung == [waiting[1]]
    assert alarms.earliest() == 3 * SECOND


def test_an_earlier_one_that_comes_later_rings_first() -> None:
    clock, alarms, _, rung = alarms_of(60)
    early = Waiting(9, SECOND)
    alarms.set(early)  # type: ignore[arg-type]
    clock.advance(1)
    assert rung == [early]


def test_a_cleared_one_does_not_ring() -> None:
    clock, alarms, waiting, rung = alarms_of(1, 2)
    alarms.clear(waiting[0])
    clock.advance(5)
    assert rung == [waiting[1]]
    assert alarms.earliest() is None
