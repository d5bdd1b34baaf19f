"""Does an upgraded operator leave pods alone, and whose image runs then?"""

from __future__ import annotations

from typing import Any

import pytest

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import Plan, Settings, build_pod, plan
from unit import operator_samples
from unit.operator_plan.pods import LIVED, active, created, deleted, kinds, pod, reason, sealed, seen
from unit.operator_samples import NOW, REMOVED, observed, store, workflow

UPGRADED = Settings(worker_image="worker:2")
OLD = Settings().worker_image
OWN_IMAGE: dict[str, Any] = {"spec.image": "example/app:1", "spec.source": REMOVED}


def upgraded(dwf: DurableWorkflow, *pods: dict[str, Any], **changes: Any) -> Plan:
    return plan(dwf, observed(*pods, **changes), NOW, UPGRADED)


def images(manifest: dict[str, Any]) -> tuple[str, str]:
    spec = manifest["spec"]
    return spec["initContainers"][0]["image"], spec["containers"][0]["image"]


@pytest.mark.parametrize("changes", [{}, OWN_IMAGE], ids=["stock image", "image of its own"])
@pytest.mark.parametrize("ready", [True, False], ids=["running", "restoring"])
def test_a_new_worker_image_leaves_the_pod_alone(changes: dict[str, Any], ready: bool) -> None:
    dwf = workflow(changes, **LIVED)
    made = upgraded(dwf, pod(workflow(changes), 2, keeper=ready, runtime=ready))
    assert kinds(made) == []


def test_the_next_life_begins_with_the_new_worker_image() -> None:
    assert images(created(upgraded(workflow(**LIVED), current=sealed(2, "Stopped")))) == ("worker:2", "worker:2")
    own = workflow(OWN_IMAGE, **LIVED)
    assert images(created(upgraded(own, current=active(2)))) == ("worker:2", "example/app:1")


def test_the_status_says_which_images_run_not_which_would() -> None:
    made = upgraded(workflow(**LIVED), pod(workflow(), 2, keeper=True, runtime=True))
    assert (made.status.image, made.status.keeper_image) == (OLD, OLD)
    own = upgraded(workflow(OWN_IMAGE, **LIVED), pod(workflow(OWN_IMAGE), 2, keeper=True, runtime=True))
    assert (own.status.image, own.status.keeper_image) == ("example/app:1", OLD)


def test_without_a_pod_no_image_runs() -> None:
    rests = upgraded(workflow({"spec.operatingMode": "Suspended"}, **LIVED, image=OLD, keeper_image=OLD))
    assert (rests.status.image, rests.status.keeper_image) == ("", "")


STUCK: dict[str, dict[str, Any]] = {
    "its image cannot be pulled": {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}},
    "it says what somebody has to do": {"lastState": {"terminated": {"message": '{"reason": "NewerFile"}'}}},
}


def stuck(how: str, image: str = OLD) -> dict[str, Any]:
    dwf = workflow()
    made = seen(build_pod(dwf, operator_samples.store(), 2, first_claim=False, settings=Settings(worker_image=image)))
    made["status"]["containerStatuses"][0] |= STUCK[how]
    return made


@pytest.mark.parametrize("how", STUCK)
def test_a_pod_that_does_not_get_on_is_replaced_by_one_of_the_new_image(how: str) -> None:
    made = upgraded(workflow(**LIVED), stuck(how))
    assert deleted(made) == [("report-e2", None)]
    assert reason(made) == "Rolling"
    assert "worker:2" in str(made.status.condition("Ready"))


@pytest.mark.parametrize("how", STUCK)
def test_a_pod_that_does_not_get_on_with_the_new_image_stays_and_says_so(how: str) -> None:
    assert kinds(upgraded(workflow(**LIVED), stuck(how, "worker:2"))) == []


def test_an_image_that_a_webhook_changed_is_no_other_image() -> None:
    mirrored = stuck("its image cannot be pulled", "worker:2")
    mirrored["spec"]["initContainers"][0]["image"] = "mirror.example.com/worker:2"
    assert kinds(upgraded(workflow(**LIVED), mirrored)) == []


def test_a_spec_that_this_operator_refuses_leaves_the_pod_that_an_older_one_made() -> None:
    refused = {"spec.template": {"spec": {"restartPolicy": "Never"}}}
    made = pod(workflow(), 2, keeper=True, runtime=True)
    made["metadata"]["annotations"]["dormouse.dev/template-hash"] = "taken once"
    planned = upgraded(workflow(refused, **LIVED), made)
    assert (kinds(planned), reason(planned)) == ([], "InvalidTemplate")


def test_a_store_that_changed_still_replaces_the_pod() -> None:
    moved = store({"spec.region": "eu-west-1"})
    assert deleted(upgraded(workflow(**LIVED), pod(workflow(), 2, keeper=True), store=moved)) == [("report-e2", None)]
