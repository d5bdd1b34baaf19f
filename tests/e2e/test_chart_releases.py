"""What do releases that concern the whole cluster do to each other, and to workflows when they leave?"""

from __future__ import annotations

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import helm, install, install_definitions, refuse
from e2e.running_cluster import Cluster, eventually

pytestmark = pytest.mark.timeout(300)

OPERATOR = "dormouse-operator"


def test_a_release_for_some_namespaces_is_refused_beside_one_for_all(cluster: Cluster, another_namespace: str) -> None:
    # What another release for all namespaces would be seen by, without an operator that would serve them.
    owner = {"meta.helm.sh/release-name": "first", "meta.helm.sh/release-namespace": "somewhere"}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    cluster.apply({**role, "metadata": {"name": OPERATOR, "annotations": owner}})
    try:
        refused = refuse("second", another_namespace, f"namespaces={{{another_namespace}}}")
        assert "release first in namespace somewhere serves all namespaces already" in refused
    finally:
        cluster.kubectl("delete", "clusterrole", OPERATOR)


def test_workflows_run_on_without_an_operator_and_their_definitions_stay(
    cluster: Cluster, another_namespace: str
) -> None:
    served = f"namespaces={{{another_namespace}}}"
    install("leaving", another_namespace, served, "replicas=1")
    one = ChainWorkflow(cluster, another_namespace).apply()
    one.wait_for_steps()
    helm("uninstall", "leaving", f"--namespace={another_namespace}", "--wait")
    one.wait_for_steps()
    helm("uninstall", "dormouse-crds", "--namespace=default", "--wait")
    one.wait_for_steps()
    one.delete("--wait=false")
    assert "deletionTimestamp" in cluster.get("--namespace", another_namespace, "durableworkflow", one.name)["metadata"]
    install_definitions()
    install("leaving", another_namespace, served, "replicas=1")
    gone = ("--namespace", another_namespace, "get", "durableworkflow", one.name)
    eventually("it goes", lambda: cluster.try_kubectl(*gone).returncode != 0, seconds=120)
    helm("uninstall", "leaving", f"--namespace={another_namespace}", "--wait")
