"""Can the operator be installed, tested, upgraded and uninstalled with a real Helm, and does its RBAC suffice?"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_rules import CHARTS, rules
from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import (
    RELEASE,
    ROOT,
    InstalledOperator,
    helm,
    image_values,
    install,
    install_definitions,
    try_helm,
)
from e2e.running_cluster import Cluster, eventually

pytestmark = pytest.mark.timeout(300)

CHART = CHARTS / "dormouse"
OPERATOR = "dormouse-operator"
STORE = ("name=default", "spec.bucket=kept", "spec.endpoint=http://10.0.0.1:9000", "spec.credentials.secretRef.name=s")
VALUE_SETS: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "two namespaces": ("namespaces={team-a,team-b}",),
    "a store in each": ("namespaces={team-a,team-b}", *(f"objectStores[0].{each}" for each in STORE)),
    "policies for workflows": ("namespaces={team-a}", "networkPolicy.workflows.enabled=true"),
    "nothing optional": (
        "reports.enabled=false",
        "networkPolicy.enabled=false",
        "podDisruptionBudget.enabled=false",
        "tolerations=null",
    ),
    "everything optional": (
        "verbose=true",
        "priorityClassName=system-cluster-critical",
        "imagePullSecrets[0].name=registry",
        "nodeSelector.disk=ssd",
        "podLabels.team=platform",
        "podAnnotations.note=hello",
        "serviceAccountAnnotations.note=hello",
        f"image.digest=sha256:{'0' * 64}",
        "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=zone",
    ),
}


def template(*values: str) -> list[dict[str, Any]]:
    """What Helm would install."""
    settings = [f"--set={value}" for value in values]
    text = helm("template", RELEASE, str(CHART), "--namespace=dormouse", *settings)
    return [each for each in yaml.safe_load_all(text) if each]


def of_kind(kind: str, documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of one kind, by namespace and name."""
    return {
        f"{each['metadata'].get('namespace', '')}/{each['metadata']['name']}": each
        for each in documents
        if each["kind"] == kind
    }


@pytest.mark.parametrize("chart", ["dormouse", "dormouse-crds"])
def test_lint_finds_nothing(chart: str) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in helm("lint", "--strict", str(CHARTS / chart))


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS.keys())
def test_what_is_rendered_is_what_the_api_server_knows(values: tuple[str, ...], cluster: Cluster) -> None:
    install_definitions()
    for each in template(*values):
        # Nothing of it is there: not the namespaces, not the service account.
        each["metadata"].pop("namespace", None)
        if each["kind"] == "Pod":
            del each["spec"]["serviceAccountName"]
        cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", document=each)


def test_a_store_is_made_in_each_served_namespace_and_its_port_is_open() -> None:
    documents = template(*VALUE_SETS["a store in each"])
    stores = of_kind("ObjectStore", documents)
    assert set(stores) == {"team-a/default", "team-b/default"}
    (policy,) = of_kind("NetworkPolicy", documents).values()
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 5353, 443, 6443, 8443, 16443, 9000}


@pytest.mark.parametrize("release", ["a.b", "456", "1.2-x", "dormouse", f"{'long-' * 10}end", f"x.{'9' * 47}-dot"])
def test_a_release_of_any_name_has_objects_with_names_that_kubernetes_takes(release: str) -> None:
    text = helm("template", release, str(CHART), "--namespace=dormouse", "--set=namespaces={team}")
    documents = [each for each in yaml.safe_load_all(text) if each]
    for kind, pattern in (("Service", r"[a-z]([-a-z0-9]*[a-z0-9])?"), ("Deployment", r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")):
        (name,) = (each["metadata"]["name"] for each in documents if each["kind"] == kind)
        assert re.fullmatch(pattern, name)
        assert len(name) <= 63
    (deployment,) = of_kind("Deployment", documents).values()
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    (url,) = (each.partition("=")[2] for each in arguments if each.startswith("--reports-url="))
    (service,) = of_kind("Service", documents)
    assert url == f"http://{service.lstrip('/')}.dormouse.svc:8082"


def test_names_that_look_like_numbers_stay_names() -> None:
    chosen = ("--set-string=namespaces={123}", "--set-string=priorityClassName=1e3")
    text = helm("template", "456", str(CHART), "--namespace=789", *chosen)
    documents = [each for each in yaml.safe_load_all(text) if each]
    assert f"123/{OPERATOR}" in of_kind("Role", documents)
    (deployment,) = of_kind("Deployment", documents).values()
    assert deployment["metadata"]["labels"]["app.kubernetes.io/instance"] == "456"
    assert deployment["spec"]["template"]["spec"]["priorityClassName"] == "1e3"
    subjects = [each["subjects"][0] for each in documents if each["kind"].endswith("RoleBinding")]
    assert {each["namespace"] for each in subjects} == {"789"}


def test_one_namespace_or_all_get_the_same_rules() -> None:
    (everywhere,) = [role for name, role in of_kind("ClusterRole", template()).items() if name == f"/{OPERATOR}"]
    roles = of_kind("Role", template("namespaces={team-a}"))
    assert roles[f"team-a/{OPERATOR}"]["rules"] == everywhere["rules"]
    assert all(rule in rules() for rule in everywhere["rules"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("namespaces=team", "at '/namespaces': got string, want array"),
        ("image.tagg=1", "at '/image': additional properties 'tagg' not allowed"),
        ("replicas=none", "at '/replicas': got string, want integer"),
        ("networkPolicy.workflows.enabled=true", "networkPolicy.workflows.enabled needs the served namespaces listed"),
        ("objectStores[0].name=default", "at '/objectStores/0': missing property 'spec'"),
    ],
)
def test_a_wrong_value_is_named(wrong: str, said: str) -> None:
    refused = try_helm("template", RELEASE, str(CHART), f"--set={wrong}")
    assert refused.returncode != 0
    assert said in refused.stderr


def test_a_namespace_that_does_not_exist_is_named(cluster: Cluster) -> None:
    install_definitions()
    refused = refuse("other", "default", "namespaces={no-such-team}")
    assert "there is no namespace no-such-team; create it first" in refused


# One release, lived through from top to bottom.


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


# Several releases.


@pytest.fixture
def another_namespace(cluster: Cluster) -> Iterator[str]:
    name = f"e2e-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


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


def test_helm_itself_refuses_an_overlap_that_the_chart_did_not_look_for(
    operator: InstalledOperator, namespace: str, another_namespace: str, tmp_path: Path
) -> None:
    blind = shutil.copytree(CHART, tmp_path / "dormouse")
    (blind / "templates" / "_preconditions.tpl").write_text('{{ define "dormouse.preconditions" }}{{ end }}')
    refused = refuse("second", another_namespace, f"namespaces={{{namespace}}}", chart=blind)
    assert f'Role "{OPERATOR}" in namespace "{namespace}" exists and cannot be imported' in refused


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


def refuse(release: str, namespace: str, *values: str, chart: Path = CHART) -> str:
    """Why Helm does not install this."""
    settings = [f"--set={value}" for value in (*image_values(), *values)]
    refused = try_helm("install", release, str(chart), f"--namespace={namespace}", *settings)
    assert refused.returncode != 0, "it was installed"
    return refused.stderr


def change_rules(cluster: Cluster, namespace: str, changed: list[dict[str, Any]]) -> None:
    """The operator may do this and nothing else from now on."""
    patch = json.dumps({"rules": changed})
    cluster.kubectl("--namespace", namespace, "patch", "role", OPERATOR, "--type=merge", f"--patch={patch}")


def logs_since(operator: InstalledOperator, moment: datetime) -> str:
    """What the replicas told since then."""
    selector = "--selector=app.kubernetes.io/component=operator"
    since = f"--since-time={moment.isoformat(timespec='seconds')}"
    return operator.cluster.kubectl("--namespace", operator.namespace, "logs", selector, since, "--tail=-1")
