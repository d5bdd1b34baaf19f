"""Does the control loop read CURRENT when the plan asks, and forget it when a pod changes?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dormouse_operator.api import DurableWorkflow, DurableWorkflowStatus, ObjectStore, parse
from dormouse_operator.dev.cluster import Cluster
from dormouse_operator.dev.control import Controller
from dormouse_operator.dev.manifests import Manifests
from dormouse_operator.dev.state import StateFile
from dormouse_operator.plan import Current, CurrentAbsent, CurrentSeen, CurrentUnread, EmitEvent

KEY = ("default", "sleeper")


class RecordedPods:
    """Notes what it is asked for instead of running it."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.saved_first: list[bool] = []
        self.saves = 0

    def pods_of(self, owner_uid: str) -> tuple[Mapping[str, Any], ...]:
        assert owner_uid
        return ()

    def create(self, manifest: Mapping[str, Any]) -> None:
        self.created.append(manifest["metadata"]["name"])
        self.saved_first.append(self.saves > 0)

    def delete(self, namespace: str, name: str, uid: str, grace_seconds: float | None = None) -> None:
        raise AssertionError(f"there is no pod {name} ({namespace}, {uid}, {grace_seconds})")


class Loop:
    """A controller whose store gives these answers, one after the other."""

    def __init__(self, folder: Path, answers: Iterable[Current], status: DurableWorkflowStatus) -> None:
        version = "dormouse.dev/v1alpha1"
        workflow = parse(
            {
                "apiVersion": version,
                "kind": "DurableWorkflow",
                "metadata": {"name": "sleeper"},
                "spec": {"image": "sleeper", "storage": {"storeRef": {"name": "bucket"}}},
            }
        )
        store = parse(
            {
                "apiVersion": version,
                "kind": "ObjectStore",
                "metadata": {"name": "bucket"},
                "spec": {"bucket": "bucket", "credentials": {"secretRef": {"name": "keys"}}},
            }
        )
        assert isinstance(workflow, DurableWorkflow)
        assert isinstance(store, ObjectStore)
        self.cluster = Cluster(StateFile.read(folder / "state.json"))
        keys = {"accessKeyId": b"a", "secretAccessKey": b"b"}
        self.cluster.apply(
            Manifests(
                workflows={KEY: workflow},
                stores={("default", "bucket"): store},
                secrets={("default", "keys"): keys},
            )
        )
        self.cluster.set_status(KEY, status)
        self.pods = RecordedPods()
        self.events: list[str] = []
        self.reads = 0
        self.disturbed_reads = 0
        self.answers = iter(answers)
        self.controller = Controller(
            KEY,
            self.cluster,
            self.pods,
            read_current=self._read,
            save=self._save,
            told=self._note,
        )

    async def _read(self, _: DurableWorkflow) -> Current:
        self.reads += 1
        if self.reads <= self.disturbed_reads:
            self.controller.pods_changed()
        return next(self.answers)

    def _save(self) -> None:
        self.pods.saves += 1

    def _note(self, _: tuple[str, str], event: EmitEvent) -> None:
        self.events.append(event.reason)

    @property
    def uid(self) -> str:
        return self.cluster.workflow(KEY).metadata.uid

    def steps(self, count: int) -> list[float]:
        async def walk() -> list[float]:
            return [await self.controller.step() for _ in range(count)]

        return asyncio.run(walk())


def test_the_first_pod_is_created_without_reading_and_after_saving(tmp_path: Path) -> None:
    loop = Loop(tmp_path, [], DurableWorkflowStatus())
    loop.steps(1)
    assert loop.pods.created == ["sleeper-e1"]
    assert loop.pods.saved_first == [True]
    assert loop.events == ["PodCreated"]
    assert loop.cluster.workflow(KEY).status.epoch == 1


def test_after_a_life_current_is_read_and_planned_with_at_once(tmp_path: Path) -> None:
    loop = Loop(tmp_path, [CurrentAbsent()], DurableWorkflowStatus(epoch=4))
    pauses = loop.steps(2)
    assert pauses[0] == 0.0
    assert loop.pods.created == ["sleeper-e5"]


def test_a_sealed_completion_in_the_store_is_believed(tmp_path: Path) -> None:
    loop = Loop(tmp_path, [], DurableWorkflowStatus(epoch=4, claimed=True))
    seen = CurrentSeen(epoch=4, state="Sealed", seal_reason="Completed", workflow_uid=loop.uid)
    loop.answers = iter([seen])
    loop.steps(2)
    assert loop.cluster.workflow(KEY).status.phase == "Completed"
    assert loop.pods.created == []


def test_a_store_that_does_not_answer_is_tried_again_after_a_pause_and_told(tmp_path: Path) -> None:
    answers = [CurrentUnread(f"no answer, try {number}") for number in range(3)]
    loop = Loop(tmp_path, answers, DurableWorkflowStatus(epoch=4, claimed=True))
    pauses = loop.steps(3)
    assert pauses[0] == 0.0  # so that the status tells of it at once
    assert min(pauses[1:]) > 0
    assert "no answer" in str(loop.cluster.workflow(KEY).status.condition("Ready"))
    assert loop.pods.created == []


def test_what_was_read_while_a_pod_changed_is_read_again(tmp_path: Path) -> None:
    loop = Loop(tmp_path, [CurrentAbsent(), CurrentAbsent()], DurableWorkflowStatus(epoch=4))
    loop.disturbed_reads = 1
    loop.steps(2)
    assert (loop.reads, loop.pods.created) == (2, [])
    loop.steps(1)
    assert loop.pods.created == ["sleeper-e5"]
