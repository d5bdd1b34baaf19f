"""Does a workflow live under another runtime of containers than runc, and is a class that is not there named?"""

from __future__ import annotations

from typing import Any

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]

CRUN = ("crun", "--root=/run/containerd/crun/k8s.io")
"""crun's own record of its containers, which runc neither reads nor writes."""


@pytest.fixture
def crun(cluster: Cluster) -> dict[str, Any]:
    """What the spec of a pod says that crun is to run."""
    if cluster.is_kind:
        pytest.skip("the nodes of kind run containers by runc alone")
    return {"runtimeClassName": "crun"}


def are_of_crun(cluster: Cluster, pod: dict[str, Any]) -> bool:
    """Whether crun runs both containers; neither, once told, may be runc's."""
    node, metadata = pod["spec"]["nodeName"], pod["metadata"]
    status = cluster.get("--namespace", metadata["namespace"], "pod", metadata["name"])["status"]
    told = [each.get("containerID", "") for each in (*status["initContainerStatuses"], *status["containerStatuses"])]
    ids = {each.removeprefix("containerd://") for each in told if each}
    assert not ids & set(cluster.run(node, "ls", "/run/containerd/runc/k8s.io").split())
    return len(ids) == 2 and ids <= set(cluster.run(node, *CRUN, "list", "--quiet").split())


def test_a_workflow_lives_under_crun_and_goes_on_with_its_data_when_its_pod_is_deleted(
    cluster: Cluster, namespace: str, crun: dict[str, Any]
) -> None:
    one = ChainWorkflow(cluster, namespace, steps=100, pod_spec=crun).apply()
    one.wait_for_steps()
    first = one.pod()
    eventually("crun runs the first pod", lambda: are_of_crun(cluster, first), seconds=30)
    cluster.kubectl("--namespace", namespace, "delete", "pod", first["metadata"]["name"], seconds=90)
    one.wait_for_epoch(2)
    second = one.pod()
    eventually("crun runs the second pod", lambda: are_of_crun(cluster, second), seconds=30)
    assert one.finish() == []
    assert one.stored.current().lineage[0].sealed_txid is not None


def test_a_class_that_does_not_exist_is_named_with_what_to_do_and_a_corrected_one_is_enough(
    cluster: Cluster, namespace: str
) -> None:
    one = ChainWorkflow(cluster, namespace, steps=10, pod_spec={"runtimeClassName": "no-such-class"}).apply()
    told = one.wait_for_condition("Stalled", "True", "PodRefused", seconds=60)
    assert 'RuntimeClass "no-such-class" not found' in told
    assert "correct runtimeClassName in spec.template, or create that RuntimeClass" in told
    assert not one.pods()
    one.patch(template={"spec": {"runtimeClassName": None}})
    assert one.finish() == []
    assert one.status()["epoch"] == 1, "a refused pod costs no epoch"


def test_a_class_whose_handler_a_node_does_not_have_is_told_by_the_kubelet(cluster: Cluster, namespace: str) -> None:
    name = f"{namespace}-handler"
    cluster.apply(
        {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "no-such"}
    )
    try:
        one = ChainWorkflow(cluster, namespace, steps=10, pod_spec={"runtimeClassName": name}).apply()
        events = ("--namespace", namespace, "get", "events", "--field-selector=reason=FailedCreatePodSandBox")
        eventually("the kubelet says so", lambda: "no-such" in cluster.kubectl(*events), seconds=60)
        assert one.status()["phase"] == "Starting"
        one.patch(template={"spec": {"runtimeClassName": None}})
        assert one.finish() == []
    finally:
        cluster.kubectl("delete", "runtimeclass", name)
