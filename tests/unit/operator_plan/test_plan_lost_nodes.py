"""Does the life after a lost node start elsewhere, whatever else its placement says?"""

from __future__ import annotations

from typing import Any

from dormouse_operator.plan import build_pod, template_hash
from unit.operator_plan.pods import LIVED, active, created, deleted, kinds, message, planned, pod, sealed, seen
from unit.operator_samples import store, with_status, workflow

TERMS = "spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
LOST = frozenset({"node-a", "node-c"})


def terms(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    node = manifest["spec"]["affinity"]["nodeAffinity"]
    found: list[dict[str, Any]] = node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return found


def off(name: str) -> dict[str, Any]:
    return {"key": "metadata.name", "operator": "NotIn", "values": [name]}


def test_the_next_pod_keeps_off_the_lost_node_that_the_scheduler_still_believes_in() -> None:
    dwf = workflow(**LIVED)
    made = planned(dwf, pod(dwf, 2, keeper=True), current=active(2), lost_nodes=LOST)
    assert terms(created(made)) == [{"matchFields": [off("node-a"), off("node-c")]}]


def test_each_alternative_of_the_users_own_affinity_keeps_off_too_and_is_kept() -> None:
    theirs = [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}, {"matchFields": [off("node-x")]}]
    dwf = workflow({TERMS: theirs}, **LIVED)
    made = build_pod(dwf, store(), 3, first_claim=False, keep_off=frozenset({"node-a"}))
    assert terms(made) == [
        {**theirs[0], "matchFields": [off("node-a")]},
        {"matchFields": [off("node-x"), off("node-a")]},
    ]
    assert dwf.spec.template is not None
    assert terms({"spec": dwf.spec.template.spec}) == theirs


def test_keeping_off_a_node_is_no_reason_to_replace_the_pod_when_the_node_is_back() -> None:
    dwf = workflow(**LIVED)
    made = build_pod(dwf, store(), 3, first_claim=False, keep_off=LOST)
    assert made["metadata"]["annotations"]["dormouse.dev/template-hash"] == template_hash(dwf, store())


def without_place(node: str = "", **changes: Any) -> tuple[Any, dict[str, Any]]:
    """A workflow whose pod of epoch 3 was made while `LOST` were lost, and finds no node."""
    dwf = workflow(**{**LIVED, "epoch": 3})
    made = seen(build_pod(dwf, store(), 3, first_claim=False, keep_off=LOST), phase="Pending", node=node, **changes)
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
    made["status"]["conditions"] = [] if node else [unschedulable]
    return dwf, made


def test_a_pod_without_a_place_is_made_anew_when_a_node_that_it_keeps_off_is_back() -> None:
    dwf, waiting = without_place()
    assert kinds(planned(dwf, waiting, lost_nodes=LOST)) == []
    back = planned(dwf, waiting, lost_nodes=frozenset({"node-c"}))
    assert deleted(back) == [("report-e3", None)]
    assert "it was made to keep off node-a, lost then and back now" in message(back)
    anew = planned(with_status(dwf, back.status), current=active(2), lost_nodes=frozenset({"node-c"}))
    assert terms(created(anew)) == [{"matchFields": [off("node-c")]}]


def test_a_pod_that_has_its_place_stays_there_when_the_lost_node_is_back() -> None:
    dwf, placed = without_place(node="node-b")
    assert kinds(planned(dwf, placed)) == []


def test_the_old_pod_of_a_node_that_is_back_is_swept() -> None:
    dwf = workflow(**{**LIVED, "epoch": 3})
    made = planned(dwf, pod(dwf, 2, keeper=True), pod(dwf, 3, keeper=True, runtime=True))
    assert kinds(made) == ["DeletePod"]


def test_the_old_pod_of_a_node_that_is_back_is_swept_after_the_end_too() -> None:
    over = pod(workflow(), 3, phase="Succeeded", runtime_said={"reason": "Completed"})
    dwf = workflow(**{**LIVED, "epoch": 3})
    completed = with_status(dwf, planned(dwf, over, current=sealed(3, "Completed")).status)
    assert completed.status.is_true("Completed")
    assert deleted(planned(completed, pod(dwf, 2, keeper=True), over)) == [("report-e2", 1)]
    assert kinds(planned(completed, over)) == []
