"""Can the operator be installed, tested, upgraded and uninstalled with a real Helm, and does its RBAC suffice?"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chart_rules import CHARTS
from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import (
    RELEASE,
    ROOT,
    InstalledOperator,
    helm,
    install,
    install_definitions,
    refuse,
)
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300)]

CHART = CHARTS / "dormouse"
OPERATOR = "dormouse-operator"


def test_a_namespace_that_does_not_exist_is_named(cluster: Cluster) -> None:
    install_definitions()
    refused = refuse("other", "default", "namespaces={no-such-team}")
    assert "there is no namespace no-such-team; create it first" in refused


def test_the_operator_becomes_available_and_passes_its_own_test(operator: InstalledOperator, cluster: Cluster) -> None:
    operator.wait_until_available()
    deployment = cluster.get("--namespace", operator.namespace, "deployment", OPERATOR)
    assert deployment["status"]["readyReplicas"] == 2
    assert {pod["spec"]["nodeName"] for pod in operator.pods()} == set(cluster.nodes)
    told = helm("test", RELEASE, f"--namespace={operator.namespace}", "--logs")
    assert "Phase:          Succeeded" in told


def test_a_workflow_lives_and_dies_without_a_forbidden_request(
    operator: InstalledOperator, cluster: Cluster, namespace: str
) -> None:
    began = datetime.now(UTC)
    one = ChainWorkflow(cluster, namespace, steps=40).apply()
    one.wait_for_steps()
    cluster.kubectl("--namespace", namespace, "delete", "pod", one.pod()["metadata"]["name"])
    one.wait_for_epoch(2)
    assert one.finish() == []
    one.delete()
    assert "forbidden" not in logs_since(operator, began)


def test_the_operator_may_do_nothing_in_a_namespace_that_it_does_not_serve(
    operator: InstalledOperator, cluster: Cluster
) -> None:
    account = f"--as=system:serviceaccount:{operator.namespace}:{OPERATOR}"
    for verb, resource in (("list", "durableworkflows"), ("create", "pods"), ("get", "secrets"), ("list", "leases")):
        asked = cluster.try_kubectl("auth", "can-i", verb, resource, "--namespace=kube-system", account)
        assert asked.stdout.strip() == "no"


@pytest.mark.long
@pytest.mark.parametrize(
    ("resource", "verb"),
    [("pods", "create"), ("secrets", "get"), ("durableworkflows/status", "patch"), ("durableworkflows", "patch")],
)
def test_without_a_verb_a_workflow_does_not_start_and_the_log_says_which(
    resource: str, verb: str, operator: InstalledOperator, cluster: Cluster, namespace: str
) -> None:
    before = cluster.get("--namespace", namespace, "role", OPERATOR)["rules"]
    without = [
        {**rule, "verbs": [each for each in rule["verbs"] if not (resource in rule["resources"] and each == verb)]}
        for rule in before
    ]
    denied = f'cannot {verb} resource "{resource}"'
    began = datetime.now(UTC)
    one = ChainWorkflow(cluster, namespace)
    change_rules(cluster, namespace, [rule for rule in without if rule["verbs"]])
    try:
        one.apply()
        eventually(f"{verb} {resource} is missed", lambda: denied in logs_since(operator, began), seconds=60)
        assert one.reached() == 0
    finally:
        change_rules(cluster, namespace, before)
    one.wait_for_steps(seconds=120)
    one.delete()


def test_changed_values_reach_the_operator_while_workflows_run_on(
    operator: InstalledOperator, cluster: Cluster, namespace: str
) -> None:
    one = ChainWorkflow(cluster, namespace).apply()
    one.wait_for_steps()
    pod = one.pod()["metadata"]["uid"]
    install(RELEASE, operator.namespace, f"namespaces={{{namespace}}}", "workers=3", "podLabels.changed=yes")
    deployment = cluster.get("--namespace", operator.namespace, "deployment", OPERATOR)
    assert "--workers=3" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    operator.leader()
    assert one.finish() == []
    assert one.pod()["metadata"]["uid"] == pod


def test_a_new_worker_image_leaves_a_running_workflow_alone_and_is_used_by_its_next_life(
    operator: InstalledOperator, cluster: Cluster, namespace: str
) -> None:
    tag = another_worker_tag()
    one = ChainWorkflow(cluster, namespace, steps=120).apply()
    one.wait_for_steps()
    before = one.pod()
    install(RELEASE, operator.namespace, f"namespaces={{{namespace}}}", f"workerImage.tag={tag}")
    operator.leader()
    one.wait_for_steps()
    assert one.pod()["metadata"]["uid"] == before["metadata"]["uid"]
    assert one.status()["image"] == before["spec"]["containers"][0]["image"]

    cluster.kubectl("--namespace", namespace, "delete", "pod", before["metadata"]["name"])
    one.wait_for_epoch(2)
    eventually("it says so", lambda: one.status().get("image", "").endswith(f":{tag}"), seconds=60)
    assert one.status()["keeperImage"].endswith(f":{tag}")
    assert one.finish() == []
    assert one.stored.current().lineage[0].sealed_txid is not None


def test_the_chart_that_was_committed_before_is_upgraded_while_a_workflow_runs(
    cluster: Cluster, another_namespace: str, tmp_path: Path
) -> None:
    served = f"namespaces={{{another_namespace}}}"
    install("upgraded", another_namespace, served, "replicas=1", chart=committed_before(tmp_path) / "dormouse")
    one = ChainWorkflow(cluster, another_namespace).apply()
    one.wait_for_steps()
    install_definitions()
    install("upgraded", another_namespace, served, "replicas=1")
    assert one.finish() == []
    assert one.status()["epoch"] == 1
    one.delete()
    helm("uninstall", "upgraded", f"--namespace={another_namespace}", "--wait")


def test_a_release_for_another_namespace_lives_beside_the_first(
    operator: InstalledOperator, cluster: Cluster, another_namespace: str
) -> None:
    install("second", another_namespace, f"namespaces={{{another_namespace}}}", "replicas=1")
    try:
        one = ChainWorkflow(cluster, another_namespace, steps=5).apply()
        assert one.finish() == []
        one.delete()
        assert operator.leader()
    finally:
        helm("uninstall", "second", f"--namespace={another_namespace}", "--wait")


def test_a_release_for_the_same_namespace_is_refused(
    operator: InstalledOperator, namespace: str, another_namespace: str
) -> None:
    refused = refuse("second", another_namespace, f"namespaces={{{another_namespace},{namespace}}}")
    owner = f"release {RELEASE} in namespace {operator.namespace}"
    assert f"namespaces: {namespace} is served by {owner} already" in refused


def test_a_release_for_all_namespaces_is_refused_beside_one_for_some(
    operator: InstalledOperator, another_namespace: str
) -> None:
    assert "already; no two releases may serve the same namespace" in refuse("second", another_namespace)


def test_helm_itself_refuses_an_overlap_that_the_chart_did_not_look_for(
    operator: InstalledOperator, namespace: str, another_namespace: str, tmp_path: Path
) -> None:
    blind = shutil.copytree(CHART, tmp_path / "dormouse")
    (blind / "templates" / "_preconditions.tpl").write_text('{{ define "dormouse.preconditions" }}{{ end }}')
    refused = refuse("second", another_namespace, f"namespaces={{{namespace}}}", chart=blind)
    assert f'Role "{OPERATOR}" in namespace "{namespace}" exists and cannot be imported' in refused


def another_worker_tag() -> str:
    """The same worker by another name, on the nodes."""
    tag = "another"
    subprocess.run([str(ROOT / "hack/images"), "worker", f"--tag={tag}", "--load"], check=True, timeout=600)
    return tag


def committed_before(folder: Path) -> Path:
    """The charts as they were before their last commit; as they are when there is no such commit here."""
    listed = ["git", "rev-list", "--max-count=2", "HEAD", "--", "charts"]
    commits = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    if not commits:
        return CHARTS
    archive = folder / "charts.tar"
    pack = ["git", "archive", f"--output={archive}", commits[-1], "charts", "crds"]
    subprocess.run(pack, cwd=ROOT, check=True, timeout=60)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "charts"


def change_rules(cluster: Cluster, namespace: str, changed: list[dict[str, Any]]) -> None:
    """The operator may do this and nothing else from now on."""
    patch = json.dumps({"rules": changed})
    cluster.kubectl("--namespace", namespace, "patch", "role", OPERATOR, "--type=merge", f"--patch={patch}")


def logs_since(operator: InstalledOperator, moment: datetime) -> str:
    """What the replicas told since then."""
    selector = "--selector=app.kubernetes.io/component=operator"
    since = f"--since-time={moment.isoformat(timespec='seconds')}"
    return operator.cluster.kubectl("--namespace", operator.namespace, "logs", selector, since, "--tail=-1")
