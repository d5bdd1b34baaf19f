"""Does what is kept in memory suffice for every plan?"""

from __future__ import annotations

from typing import Any

import pytest

from dormouse_operator.api import read
from dormouse_operator.controller.resources import PODS, WORKFLOWS, Document
from dormouse_operator.controller.trimming import trimmed
from dormouse_operator.plan.lives import read_life
from unit.operator_plan.pods import pod
from unit.operator_samples import UID, document, workflow

FROM_THE_API_SERVER: dict[str, Any] = {"managedFields": [{"manager": "kubelet"}], "resourceVersion": "7"}
STATES: dict[str, dict[str, Any]] = {
    "fresh": {"phase": "Pending"},
    "running": {"keeper": True, "runtime": True},
    "refused": {"keeper_said": {"reason": "StaleEpoch", "seen": 4}},
    "closed": {"phase": "Succeeded", "runtime_said": {"reason": "Completed", "position": "1/9"}},
    "deleting": {"deleting": True},
}


def told(made: Document) -> Document:
    """As the API server tells it."""
    return {**made, "metadata": {**made["metadata"], **FROM_THE_API_SERVER}}


@pytest.mark.parametrize("state", STATES)
def test_a_plan_reads_the_same_life_from_what_is_kept(state: str) -> None:
    changes = {"spec.template": {"spec": {"tolerations": [{"key": "gpu"}]}}, "spec.storage.allowEmptyRestore": 1}
    seen = told(pod(workflow(changes), 2, **STATES[state]))
    seen["status"] |= {"reason": "Evicted", "message": "it was full", "podIP": "10.0.0.1", "qosClass": "Burstable"}
    seen["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    kept = trimmed(PODS, seen)
    assert read_life(kept) == read_life(seen)
    assert len(str(kept)) < len(str(seen)) / 2
    assert "podIP" not in str(kept)


def test_a_pod_that_says_nothing_yet_is_kept_as_such() -> None:
    fresh = pod(workflow())
    del fresh["status"]
    assert read_life(trimmed(PODS, fresh)) == read_life(fresh)


def test_a_workflow_is_kept_but_for_what_others_noted_on_it() -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{...}", "dormouse.dev/abandon-data": "true"}
    seen = told(document("DurableWorkflow", {"metadata.annotations": applied}))
    kept = trimmed(WORKFLOWS, seen)
    assert kept["metadata"]["annotations"] == {"dormouse.dev/abandon-data": "true"}
    assert "managedFields" not in kept["metadata"]
    assert (kept["metadata"]["uid"], kept["spec"]) == (UID, seen["spec"])
    assert read(kept).spec == read(seen).spec
    assert "managedFields" in seen["metadata"], "what was told is not changed"
