"""Does a workflow keep to what the store holds of it, and does its name? Data taken away, kept and deleted."""

from __future__ import annotations

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]


def test_a_restore_that_fails_is_told_writes_nothing_and_goes_on_once_the_data_is_back(
    cluster: Cluster, namespace: str
) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    one.patch(operatingMode="Suspended")
    eventually("no pod is left", lambda: not one.pods(), seconds=90)
    kept = one.stored.take_away_epochs()
    one.patch(operatingMode="Running")
    told = one.wait_for_condition("Stalled", "True", "Re")
    assert one.condition("Stalled")["reason"] in {"ReplicaMissing", "RestoreIncomplete"}
    assert "allowEmptyRestore" in told or "restore" in told
    reached = one.reached()
    one.stored.put_back(kept)
    assert one.finish(seconds=240) == []
    assert one.reached() > reached


def test_a_name_is_free_again_after_its_data_was_deleted(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace, steps=10, spec={"deletionPolicy": "Delete"}).apply()
    assert one.finish() == []
    one.delete()
    assert one.stored.current().lineage == ()
    assert one.stored.epoch_objects() == []
    one.forget_attempts()
    again = one.apply()
    assert again.finish() == []
    assert again.status()["epoch"] == 2, "an epoch's number is never used again"


def test_a_name_whose_data_was_retained_is_refused_to_a_new_workflow(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace, steps=10).apply()
    assert one.finish() == []
    one.delete()
    before = one.stored.epoch_objects()
    assert before
    one.apply()
    told = one.wait_for_condition("Stalled", "True", "NameTaken")
    assert "adoptionPolicy" in told
    assert one.stored.epoch_objects() == before


def test_deleted_while_it_restores_it_goes_away_and_keeps_its_data(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace, ballast_bytes=30 << 20).apply()
    one.wait_for_steps()
    pod = one.pod()["metadata"]["name"]
    cluster.kubectl("--namespace", namespace, "delete", "pod", pod, "--force", "--grace-period=0")
    eventually("the next pod is there", lambda: any(each["metadata"]["name"] != pod for each in one.pods()), seconds=60)
    one.delete()
    # An ended pod does not hold its workflow: it goes as what the workflow owned.
    eventually("its pods are gone", lambda: not one.pods(), seconds=90)
    current = one.stored.current()
    assert current.state == "Released"
    assert current.lineage
