"""What becomes of a workflow whose RuntimeClass is not there, or names a handler that its node does not have?"""

from __future__ import annotations

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]


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
