"""When may a pod be made without a list of those that are there? Only where there never was one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dormouse_operator.controller.resources import PODS
from unit.operator_controller.interleaved_operators import Interleaved


@pytest.fixture
def world() -> Iterator[Interleaved]:
    made = Interleaved()
    yield made
    made.close()


def names(world: Interleaved) -> list[str]:
    return [each["metadata"]["name"] for each in world.pods()]


def test_the_first_pod_is_made_without_a_list(world: Interleaved) -> None:
    world.operators["a"].whole_step()
    assert names(world) == ["report-e1"]
    assert "a" not in world.listed_at


def test_whoever_has_not_heard_that_it_began_makes_no_pod(world: Interleaved) -> None:
    world.operators["a"].whole_step()
    world.objects.remove(PODS, "report-e1")
    world.operators["b"].whole_step()
    assert names(world) == []
    assert world.operators["b"].failed  # its status was refused as one of an older version


@pytest.mark.parametrize("wiped", [False, True])
def test_a_list_comes_before_every_other_pod(world: Interleaved, *, wiped: bool) -> None:
    operator = world.operators["a"]
    operator.whole_step()
    world.claim("report-e1")
    world.objects.remove(PODS, "report-e1")
    if wiped:
        world.is_forged = True
        world.edit(lambda workflow: workflow.pop("status"))
    operator.see(1000)
    operator.list_all()
    operator.whole_step()
    world.wait(operator.pause or 0.0)
    operator.whole_step()
    assert len(names(world)) == 1
    assert "a" in world.listed_at
