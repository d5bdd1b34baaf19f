"""Whom does a change concern, and is nobody woken by what is known already?"""

from __future__ import annotations

from typing import Any

from dormouse_operator.controller.resources import WORKFLOWS, Document
from dormouse_operator.controller.world import Task, World

WORKFLOW, STORE = Task("workflow", ("team", "report")), Task("store", ("team", "local"))


def workflow(version: int, *, finalizers: tuple[str, ...] = (), status: Any = None, **spec: Any) -> Document:
    metadata = {"namespace": "team", "name": "report", "uid": "u", "resourceVersion": str(version)}
    return {
        "metadata": {**metadata, "finalizers": list(finalizers)},
        "spec": {"storage": {"storeRef": {"name": "local"}}, **spec},
        "status": status or {},
    }


class Told:
    """A world, and what it told."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.rolls: list[bool] = []
        self.world = World(self.tasks.append, lambda _, is_rolling: self.rolls.append(is_rolling))

    def put(self, document: Document) -> list[Task]:
        self.tasks.clear()
        self.world.put(WORKFLOWS, document)
        return list(self.tasks)


def test_a_new_workflow_concerns_itself_and_its_store() -> None:
    assert Told().put(workflow(1)) == [WORKFLOW, STORE]


def test_its_store_is_looked_at_again_when_it_may_be_kept_for_it_and_only_then() -> None:
    told = Told()
    told.put(workflow(1))
    assert told.put(workflow(2, status={"phase": "Running"})) == [WORKFLOW]
    assert told.put(workflow(3, finalizers=("dormouse.dev/data",))) == [WORKFLOW, STORE]


def test_what_a_watch_tells_of_a_write_that_is_known_wakes_nobody() -> None:
    told = Told()
    told.put(workflow(2, status={"rollingSince": "now"}))
    told.rolls.clear()
    assert told.put(workflow(2)) == []
    assert told.put(workflow(1)) == []
    assert told.rolls == []


def test_one_that_is_gone_concerns_its_store_and_neither_rolls_nor_waits_for_idle() -> None:
    told = Told()
    told.put(workflow(1, status={"rollingSince": "now"}, disruption={"waitForIdleSeconds": 60}))
    assert told.world.wait_for_idle == {("team", "report")}
    assert told.rolls == [True]
    told.tasks.clear()
    told.world.drop(WORKFLOWS, workflow(2, disruption={"waitForIdleSeconds": 60}))
    assert told.tasks == [WORKFLOW, STORE]
    assert told.world.wait_for_idle == set()
    assert told.rolls == [True, False]
    assert told.put(workflow(1)) == []


def test_one_that_waits_for_idle_no_more_is_forgotten() -> None:
    told = Told()
    told.put(workflow(1, disruption={"waitForIdleSeconds": 60}))
    told.put(workflow(2))
    assert told.world.wait_for_idle == set()
