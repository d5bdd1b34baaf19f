"""Does the status say where a life runs and from where it came, and ask the store for that only once?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dormouse_operator.plan import CurrentSeen, CurrentUnread, ReadCurrent
from unit.operator_plan.pods import created, kinds, planned, pod, reason, seen
from unit.operator_samples import NOW, UID, with_status, workflow

THIS_LIFE = CurrentSeen(2, "Active", workflow_uid=UID, claimed_at="2026-03-01T11:59:58+00:00", restored_from="1/17")
KNOWN: dict[str, Any] = {
    "epoch": 2,
    "claimed_at": THIS_LIFE.claimed_at,
    "restored_from": "1/17",
    "restored_at": "2026-03-01T11:59:59Z",
}


def running(**more: Any) -> dict[str, Any]:
    return pod(workflow(), 2, **{"keeper": True, "runtime": True, "node": "node-b", **more})


def test_a_restored_life_says_where_it_runs_and_what_it_was_restored_from() -> None:
    dwf = workflow(epoch=2)
    asked = planned(dwf, running())
    assert (kinds(asked), asked.status.phase, asked.requeue_after_seconds) == (["ReadCurrent"], "Running", 5.0)
    status = planned(dwf, running(), current=THIS_LIFE).status
    assert (status.node, status.restored_from, status.claimed_at) == ("node-b", "1/17", "2026-03-01T11:59:58+00:00")
    assert "epoch 2 was restored from 1/17" in str(status.condition("Restored"))
    assert status.restored_at == NOW.isoformat().replace("+00:00", "Z")


def test_a_first_life_says_that_there_was_nothing_to_restore() -> None:
    first = replace(THIS_LIFE, epoch=1, restored_from="")
    status = planned(workflow(epoch=1), pod(workflow(), keeper=True), current=first).status
    assert status.restored_from == ""
    assert "began with an empty database" in str(status.condition("Restored"))


def test_it_is_asked_for_once_in_a_life() -> None:
    told = with_status(workflow(epoch=2), planned(workflow(epoch=2), running(), current=THIS_LIFE).status)
    again = planned(told, running(runtime=False), current=CurrentUnread())
    assert kinds(again) == []
    assert again.status.restored_from == "1/17"
    assert again.status.restored_at == told.status.restored_at


def test_a_store_that_does_not_answer_takes_nothing_from_a_running_life() -> None:
    made = planned(workflow(epoch=2), running(), current=CurrentUnread("connection refused"))
    assert (made.status.phase, reason(made), made.requeue_after_seconds) == ("Running", "Running", 5.0)


def test_nothing_is_asked_before_the_keeper_is_ready() -> None:
    assert kinds(planned(workflow(epoch=2), running(keeper=False, runtime=False))) == []


@pytest.mark.parametrize("current", [replace(THIS_LIFE, epoch=3), replace(THIS_LIFE, workflow_uid="another")])
def test_what_current_says_of_another_life_is_not_taken_for_this_one(current: CurrentSeen) -> None:
    made = planned(workflow(epoch=2), running(), current=current)
    assert (made.status.claimed_at, made.status.restored_from, kinds(made)) == ("", "", [])


def test_the_next_epoch_starts_with_nothing_known() -> None:
    status = planned(workflow(**KNOWN), current=THIS_LIFE).status
    assert (status.epoch, status.node, status.claimed_at, status.restored_at, status.restored_from) == (
        3,
        "",
        "",
        "",
        "",
    )


def test_a_life_that_has_ended_runs_nowhere_and_keeps_its_history() -> None:
    sealed = replace(THIS_LIFE, state="Sealed", seal_reason="Completed")
    status = planned(workflow(**KNOWN, node="node-b"), current=sealed).status
    assert (status.phase, status.node, status.restored_from) == ("Completed", "", "1/17")


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/2 nodes are available",
}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    made = running(phase="Pending", keeper=False, runtime=False)
    made["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": reason, "message": message}}
    return made


def test_a_pod_that_no_node_takes_says_why() -> None:
    nowhere = running(phase="Pending", keeper=False, runtime=False)
    nowhere["status"]["conditions"] = [UNSCHEDULABLE]
    del nowhere["spec"]["nodeName"]
    made = planned(workflow(epoch=2), nowhere)
    assert (made.status.phase, reason(made), made.status.node) == ("Starting", "Unschedulable", "")
    assert "pod report-e2 cannot start: 0/2 nodes are available" in str(made.status.condition("Ready"))


def test_an_image_that_cannot_be_had_is_named() -> None:
    made = planned(workflow(epoch=2), waiting("ImagePullBackOff", 'Back-off pulling image "nowhere/app:1"'))
    assert reason(made) == "ImagePullBackOff"
    assert "nowhere/app:1" in str(made.status.condition("Ready"))


@pytest.mark.parametrize("said", ["ContainerCreating", "PodInitializing", "CrashLoopBackOff"])
def test_a_container_that_is_on_its_way_is_no_obstacle(said: str) -> None:
    assert reason(planned(workflow(epoch=2), waiting(said))) == "Restoring"


def test_from_the_first_plan_until_it_runs_a_life_changes_the_status_twice() -> None:
    dwf = workflow({"spec.updatePolicy.type": "Immediate"})
    asked_for = planned(dwf)
    manifest = created(asked_for)
    statuses = [asked_for.status]
    for seen_as in (
        {**manifest, "metadata": {**manifest["metadata"], "uid": "made"}},  # as the API server answers
        seen(manifest, phase="Pending"),  # bound to a node
        seen(manifest),  # its containers started
    ):
        made = planned(with_status(dwf, statuses[-1]), seen_as)
        assert kinds(made) == []
        statuses.append(made.status)
    ready = seen(manifest, keeper=True, runtime=True)
    read = replace(THIS_LIFE, epoch=1, restored_from="")
    statuses.append(planned(with_status(dwf, statuses[-1]), ready, current=read).status)
    settled = planned(with_status(dwf, statuses[-1]), ready)
    assert kinds(settled) == []
    statuses.append(settled.status)
    assert [(each.phase, each.node) for each in statuses] == [
        *[("Starting", "")] * 4,
        *[("Running", "node-a")] * 2,
    ]
    assert len({msgspec.json.encode(each) for each in statuses}) == 2


def test_where_a_life_came_from_is_asked_for_before_the_status_is_written() -> None:
    (asked,) = [each for each in planned(workflow(epoch=2), running()).actions if isinstance(each, ReadCurrent)]
    assert asked.is_for_status


def test_a_pod_that_cannot_start_says_on_which_node() -> None:
    stuck = running(keeper=False, runtime=False)
    stuck["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}
    assert planned(workflow(epoch=2), stuck).status.node == "node-b"
    assert planned(workflow(epoch=2), running(keeper=False, runtime=False)).status.node == ""
