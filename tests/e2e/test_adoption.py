"""Does data go on under a new object of its name, on a real cluster? No step of it runs twice."""

from __future__ import annotations

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]

ADOPTS = {"adoptionPolicy": "Released"}


def uid(cluster: Cluster, one: ChainWorkflow) -> str:
    found: str = cluster.get("--namespace", one.namespace, "durableworkflow", one.name)["metadata"]["uid"]
    return found


def test_a_workflow_deleted_half_way_is_finished_by_a_new_object_that_adopts_its_data(
    cluster: Cluster, namespace: str
) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    before = uid(cluster, one)
    one.delete()
    one.apply()
    assert "adoptionPolicy: Released" in one.wait_for_condition("Stalled", "True", "NameTaken")
    one.patch(**ADOPTS)
    assert one.finish() == []
    assert one.status()["adoptedFrom"] == {"uid": before, "epoch": 1}
    assert one.stored.current().identity == before
    assert one.attempts()[0].epoch == 1, "the new object began nothing anew"


def test_a_completed_workflow_that_is_adopted_is_completed_again_and_runs_nothing(
    cluster: Cluster, namespace: str
) -> None:
    one = ChainWorkflow(cluster, namespace, steps=5).apply()
    assert one.finish() == []
    attempts = one.attempts()
    one.delete()
    one.spec = ADOPTS
    one.apply()
    assert one.finish() == []
    assert one.condition("Completed")["reason"] == "Succeeded"
    assert one.attempts() == attempts
