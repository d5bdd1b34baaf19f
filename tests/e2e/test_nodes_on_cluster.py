"""Does a workflow go on when its node does not, and does nothing that was acknowledged happen twice?"""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from history import lost_spans_seconds

from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import InstalledOperator
from e2e.running_cluster import Cluster, eventually

pytestmark = pytest.mark.timeout(420)


def other_than(cluster: Cluster, node: str) -> str:
    return next(name for name in cluster.nodes if name != node)


def running_chain(cluster: Cluster, namespace: str, **options: object) -> ChainWorkflow:
    """A chain that has begun its first steps."""
    one = ChainWorkflow(cluster, namespace, **options).apply()  # type: ignore[arg-type] # what a test wants
    one.wait_for_steps()
    return one


def wait_until_only_the_newest_pod_is_left(one: ChainWorkflow) -> None:
    def alone() -> bool:
        return len(one.pods()) <= 1

    eventually("the pod of the lost life is cleaned up", alone, seconds=120)


def test_drained_it_goes_on_at_the_other_node(cluster: Cluster, namespace: str, operator: InstalledOperator) -> None:
    one = running_chain(cluster, namespace)
    node = one.node
    try:
        cluster.kubectl(
            "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s",
            f"--pod-selector=dormouse.dev/name={one.name}", seconds=130,
        )  # fmt: skip
        one.wait_for_epoch(2)
        assert one.node == other_than(cluster, node)
        assert one.stored.current().lineage[0].sealed_txid is not None
    finally:
        cluster.kubectl("uncordon", node)
    assert one.finish() == []


@pytest.mark.long
def test_a_node_cut_off_from_everything_is_left_for_the_other(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = running_chain(cluster, namespace, steps=120)
    node = one.node
    operator.move_leader(node, away=True)
    with cluster.cut(node, "all"):
        one.wait_for_epoch(2)
        assert one.node == other_than(cluster, node)
    assert one.finish() == []
    wait_until_only_the_newest_pod_is_left(one)


def test_a_zombie_that_still_reaches_the_store_counts_for_nothing_and_stops(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = running_chain(cluster, namespace, steps=250)
    node = one.node
    operator.move_leader(node, away=True)
    with cluster.cut(node, "api"):
        cut_ns = time.time_ns()
        one.wait_for_epoch(2)
        one.wait_for_steps()
        attempts = one.attempts()
    claimed_at = one.stored.current().entry.claimed_at
    assert claimed_at is not None
    # The store tells whole seconds.
    claimed_ns = (datetime.fromisoformat(claimed_at).timestamp() + 1) * 1e9
    ghosts = [attempt for attempt in attempts if attempt.epoch == 1 and attempt.at_ns > cut_ns]
    assert ghosts, "the pod that was cut off from the API server went on"
    late = [attempt for attempt in ghosts if attempt.at_ns > claimed_ns]
    assert len(late) <= 1, "no step after the one that it was in: its next barrier tells that it is fenced"
    assert one.finish() == []
    wait_until_only_the_newest_pod_is_left(one)


@pytest.mark.long
def test_the_loss_of_the_node_that_the_active_operator_runs_on_is_survived(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = running_chain(cluster, namespace, steps=200)
    node = one.node
    operator.move_leader(node)
    with cluster.cut(node, "all"):
        one.wait_for_epoch(2, seconds=120)
        assert one.node == other_than(cluster, node)
        assert operator.leader()["spec"]["nodeName"] != node
    assert one.finish() == []
    operator.wait_until_available()
    wait_until_only_the_newest_pod_is_left(one)


@pytest.mark.long
def test_with_async_a_lost_node_loses_no_more_than_the_lag(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = running_chain(cluster, namespace, steps=200, durability="Async", max_lag_seconds=3)
    node = one.node
    operator.move_leader(node, away=True)
    with cluster.cut(node, "all"):
        one.wait_for_epoch(2)
    lost = one.finish()
    assert all(span <= 3 for span in lost_spans_seconds(lost).values()), lost


@pytest.mark.long
@pytest.mark.timeout(700)
def test_a_node_object_that_is_deleted_loses_its_pods_to_the_other_and_takes_new_ones_when_it_is_back(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    # Kubernetes itself removes pods without a node, after 40 to 60 s.
    one = running_chain(cluster, namespace, steps=180, step_seconds=1.0)
    node, other = one.node, other_than(cluster, one.node)
    operator.move_leader(node, away=True)
    cluster.kubectl("delete", "node", node)
    try:
        one.wait_for_epoch(2, seconds=150)
        assert one.node == other
    finally:
        with cluster.stopped(f"{node}/kubelet"):
            pass  # it tells the API server of its node when it starts, and never again
        eventually("the node is back", lambda: cluster.is_ready(node), seconds=90)
    cluster.kubectl("cordon", other)
    try:
        back = running_chain(cluster, namespace, steps=10)
        assert back.node == node
    finally:
        cluster.kubectl("uncordon", other)
    assert back.finish() == []
    assert one.finish(seconds=240) == []
    operator.wait_until_available()


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_an_operator_killed_again_and_again_changes_nothing(
    cluster: Cluster, namespace: str, operator: InstalledOperator, kills: int
) -> None:
    one = running_chain(cluster, namespace, steps=125 * kills)
    pod = one.pod()["metadata"]["name"]
    for turn in range(kills):
        leader = operator.leader()
        name = leader["metadata"]["name"]
        cluster.kill_container(leader["spec"]["nodeName"], leader["status"]["containerStatuses"][0]["containerID"])
        # A new one in its place: the old one would start again only after longer and longer pauses.
        cluster.kubectl("--namespace", operator.namespace, "delete", "pod", name, "--force", "--grace-period=0")
        if turn == kills // 2:
            cluster.kubectl("--namespace", namespace, "delete", "pod", pod, "--wait=false")
        one.wait_for_steps(1)
        operator.wait_for_another_leader(name)
    one.wait_for_epoch(2)
    assert one.finish(seconds=300) == []
    assert {attempt.epoch for attempt in one.attempts()} == {1, 2}
    operator.wait_until_available()


@pytest.mark.long
def test_a_store_that_is_down_for_a_while_only_holds_the_workflow_up(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = running_chain(cluster, namespace)
    with cluster.stopped(cluster.store_program):
        eventually(
            "it says that it does not replicate",
            lambda: one.condition("Ready").get("status") == "False",
            seconds=60,
        )
        time.sleep(30)
    assert one.finish(seconds=180) == []
    assert {attempt.epoch for attempt in one.attempts()} == {1}


def test_a_restarted_kubelet_does_not_disturb_it(cluster: Cluster, namespace: str, operator: InstalledOperator) -> None:
    one = running_chain(cluster, namespace)
    with cluster.stopped(f"{one.node}/kubelet"):
        one.wait_for_steps()
    assert one.finish() == []
    assert {attempt.epoch for attempt in one.attempts()} == {1}


@pytest.mark.long
def test_deleted_while_the_store_is_down_it_waits_for_the_store_and_says_so(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    one = running_chain(cluster, namespace)
    with cluster.stopped(cluster.store_program):
        one.delete("--wait=false")
        told = eventually(
            "it says what it waits for",
            lambda: one.condition("Ready").get("message") if one.status().get("phase") == "Deleting" else "",
            seconds=120,
        )
        assert told
        assert one.status(), "it is still there"
    eventually("it is gone", lambda: not one.status(), seconds=180)
    assert one.stored.current().state == "Released"
