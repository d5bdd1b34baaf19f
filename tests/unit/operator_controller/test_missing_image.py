"""What does the operator say and do while an image cannot be pulled for very long? With the clocks of the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dormouse_operator.controller.resources import PODS, Document
from dormouse_operator.plan import KEEPER_CONTAINER, RUNTIME_CONTAINER
from unit.operator_controller.interleaved_operators import SETTINGS, OneOperator
from unit.operator_controller.interleaved_promises import Promises
from unit.operator_controller.interleaved_surroundings import Surroundings

OWN_IMAGE = "registry.example/report:2"
WHY = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
HOUR_SECONDS = 3600.0
_MANY_STEPS = 2000
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS, _UNTIL_THE_NEXT_SYNC_SECONDS = 10.0, 300.0, 5.0


def pulls(image: str, seconds: float) -> Iterator[tuple[float, dict[str, str]]]:
    """What a kubelet of Kubernetes 1.35 says of a container so long, and for how long it says each."""
    backoff = _FIRST_BACKOFF_SECONDS
    while seconds > 0:
        yield _UNTIL_THE_NEXT_SYNC_SECONDS, {"reason": "ErrImagePull", "message": WHY}
        repeated = f'Back-off pulling image "{image}": ErrImagePull: {WHY}'
        yield backoff - _UNTIL_THE_NEXT_SYNC_SECONDS, {"reason": "ImagePullBackOff", "message": repeated}
        seconds -= backoff
        backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)


class Waiting:
    """A workflow whose first pod has no image for one of its containers."""

    def __init__(self, container: str) -> None:
        self.around, self.container = Surroundings(), container
        self.operator = OneOperator("a", self.around, Promises(self.around))
        self.steps = 0
        self.correct(OWN_IMAGE)
        self.look()
        if container == RUNTIME_CONTAINER:
            self.around.claim("report-e1")
            self.look()

    def close(self) -> None:
        self.operator.die()
        self.around.close()

    @property
    def image(self) -> str:
        return OWN_IMAGE if self.container == RUNTIME_CONTAINER else SETTINGS.worker_image

    def correct(self, image: str) -> None:
        """Somebody writes this into spec.image."""

        def edit(workflow: Document) -> None:
            workflow["spec"]["image"] = image
            workflow["metadata"]["generation"] += 1

        self.around.edit(edit)

    def look(self) -> None:
        """The operator hears everything and does what there is to do."""
        self.operator.see()
        self.operator.whole_step()
        self.steps += 1
        assert self.steps < _MANY_STEPS, "a hot loop"

    def goes_by(self, seconds: float) -> None:
        """Nothing happens, but what the operator wants to do by itself."""
        while (pause := self.operator.pause) is not None and pause < seconds:
            self.around.wait(pause)
            seconds -= pause
            self.look()
        self.around.wait(seconds)

    def says(self, waiting: dict[str, str]) -> None:
        """The kubelet, of the container without an image."""

        def edit(pod: Document) -> None:
            (keeper,), (runtime,) = pod["status"]["initContainerStatuses"], pod["status"]["containerStatuses"]
            runtime["state"] = {"waiting": {"reason": "PodInitializing"}}
            (runtime if self.container == RUNTIME_CONTAINER else keeper)["state"] = {"waiting": waiting}

        if not self.around.objects.get(PODS, "team", "report-e1").get("status"):
            self.around.update("report-e1", phase="Pending")
        self.around.objects.change(PODS, "report-e1", edit)

    def waits(self, seconds: float) -> list[dict[str, Any]]:
        """The condition Ready, as it was whenever the operator had looked."""
        told = []
        for until_the_next, waiting in pulls(self.image, seconds):
            self.says(waiting)
            self.look()
            told.append(self.condition("Ready"))
            self.goes_by(until_the_next)
        return told

    def condition(self, kind: str) -> dict[str, Any]:
        (found,) = [each for each in self.around.status()["conditions"] if each["type"] == kind]
        return dict(found)

    def names(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.around.pods()]

    def runs(self, pod: str) -> None:
        """The image is there."""
        self.around.claim(pod)
        self.around.update(pod, keeper=True, runtime=True)
        self.look()
        assert (self.around.status()["phase"], self.around.status()["podName"]) == ("Running", pod)
        assert self.condition("Ready")["status"] == "True"
        assert self.names() == [pod]


@pytest.fixture(params=[RUNTIME_CONTAINER, KEEPER_CONTAINER])
def waiting(request: pytest.FixtureRequest) -> Iterator[Waiting]:
    made = Waiting(request.param)
    yield made
    made.close()


def test_it_is_said_once_with_the_image_and_the_remedy_and_nobody_looks_without_a_reason(waiting: Waiting) -> None:
    waiting.says({"reason": "ErrImagePull", "message": WHY})
    waiting.look()
    writes, steps = waiting.around.objects.writes, waiting.steps
    told = waiting.waits(24 * HOUR_SECONDS)
    assert len(told) > 500
    assert all(each == told[0] for each in told), "it does not come and go"
    assert (told[0]["status"], told[0]["reason"]) == ("False", "ErrImagePull")
    field = "spec.image" if waiting.container == RUNTIME_CONTAINER else "workerImage of the operator's chart"
    for expected in (f"`{waiting.image}`", WHY, f"correct {field}, or imagePullSecrets in spec.template"):
        assert expected in told[0]["message"]
    assert waiting.around.objects.writes == writes
    assert waiting.steps - steps == len(told), "one look for each change of the pod"
    assert (waiting.around.status()["phase"], waiting.around.status()["epoch"]) == ("Starting", 1)


def test_it_goes_on_in_the_same_pod_when_the_image_appears(waiting: Waiting) -> None:
    waiting.waits(HOUR_SECONDS)
    waiting.runs("report-e1")
    assert "lastFailure" not in waiting.around.status(), "no life has failed"


def test_a_corrected_image_is_in_the_next_pod_without_a_pause(waiting: Waiting) -> None:
    waiting.waits(HOUR_SECONDS)
    waiting.correct("registry.example/report:3")
    waiting.look()
    waiting.around.obey_deletions(sealed=waiting.container == RUNTIME_CONTAINER)
    waiting.look()
    assert waiting.names() == ["report-e2"]
    containers = waiting.around.pods()[0]["spec"]["containers"]
    assert [each["image"] for each in containers] == ["registry.example/report:3"]
    waiting.runs("report-e2")
