"""Does everybody go on where they were when the API server was away, or has forgotten what happened meanwhile?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import InstalledOperator, installed
from e2e.running_cluster import Cluster, eventually, hack_cluster

pytestmark = [pytest.mark.long, pytest.mark.timeout(700)]

LONGER_THAN_A_NODE_MAY_BE_SILENT_SECONDS = 25
LONGER_THAN_BETWEEN_TWO_LOOKS_SECONDS = 4


@pytest.fixture(scope="module")
def operator(cluster: Cluster, namespace: str) -> Iterator[InstalledOperator]:
    """One that lists by itself no more than once a day: what its watches miss it has to notice."""
    with installed(cluster, namespace, "relistSeconds=86400") as made:
        yield made


def wait_for_renewal(cluster: Cluster, node: str) -> None:
    """Its kubelet hears that the API server is back; both have the clock of this machine."""
    back = datetime.now(UTC)

    def is_renewed() -> bool:
        lease = cluster.get("--namespace=kube-node-lease", "lease", node)
        return datetime.fromisoformat(lease["spec"]["renewTime"]) > back

    eventually(f"{node} renews its Lease", is_renewed, seconds=60)


def lives_of(one: ChainWorkflow) -> set[int]:
    """The epochs that were claimed in the store, and those in which a step was begun."""
    claimed = {entry.epoch for entry in one.stored.current().lineage}
    return claimed | {attempt.epoch for attempt in one.attempts()}


def test_nothing_is_lost_and_nobody_has_a_second_pod_after_it_was_away(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    runs = ChainWorkflow(cluster, namespace, steps=200, step_seconds=1.0).apply()
    runs.wait_for_steps()
    operator.move_leader(runs.node, away=True)
    goes = ChainWorkflow(cluster, namespace, steps=1000).apply()
    goes.wait_for_steps()
    begins = ChainWorkflow(cluster, namespace, steps=20).apply()
    eventually("its pod is asked for", lambda: begins.status().get("podName"), seconds=30)
    new = ChainWorkflow(cluster, namespace, steps=20).apply()
    goes.delete("--wait=false")
    # The node that it runs on comes back to the API server a little later than the other.
    with cluster.cut(runs.node, "api"):
        with cluster.without_api_server():
            runs.wait_for_steps()
            time.sleep(LONGER_THAN_A_NODE_MAY_BE_SILENT_SECONDS)
        wait_for_renewal(cluster, next(name for name in cluster.nodes if name != runs.node))
        time.sleep(LONGER_THAN_BETWEEN_TWO_LOOKS_SECONDS)
    assert runs.status()["phase"] != "Completed", "it runs all the time"
    eventually("the deleted one goes", lambda: not goes.status(), seconds=120)
    assert goes.stored.current().state == "Released"
    assert goes.stored.current().entry.sealed_txid is not None
    for each in (runs, begins, new):
        assert each.finish(seconds=400) == []
        assert lives_of(each) == {1}, f"{each.name} had more than one pod"
    assert operator.restarts() == []


def test_a_workflow_that_begins_while_it_ends_again_and_again_has_one_pod(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = ChainWorkflow(cluster, namespace, steps=20).apply()
    for _ in range(3):
        with cluster.without_api_server():
            pass
    assert one.finish() == []
    assert lives_of(one) == {1}
    assert operator.restarts() == []


def test_a_pod_that_went_while_the_watches_were_cut_is_missed_although_nobody_can_tell_of_it_any_more(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = ChainWorkflow(cluster, namespace, steps=200).apply()
    one.wait_for_steps()
    pods = f"/api/v1/namespaces/{namespace}/pods"
    with ExitStack() as cuts:
        for node in cluster.nodes:
            cuts.enter_context(cluster.cut(node, "api"))
        known = json.loads(cluster.kubectl("get", f"--raw={pods}"))["metadata"]["resourceVersion"]
        pod = one.pod()["metadata"]["name"]
        cluster.kubectl("--namespace", namespace, "delete", "pod", pod, "--force", "--grace-period=0")
        hack_cluster("compact")
        with cluster.without_api_server():
            pass
        watched = cluster.try_kubectl("get", f"--raw={pods}?watch=1&resourceVersion={known}&timeoutSeconds=5")
        assert '"code":410' in watched.stdout, watched
        listed = cluster.try_kubectl("get", f"--raw={pods}?resourceVersionMatch=Exact&resourceVersion={known}&limit=1")
        assert "too old" in listed.stderr, listed
    one.wait_for_epoch(2, seconds=300)
    assert one.finish() == []
    assert lives_of(one) == {1, 2}
    assert operator.restarts() == []
