"""Is what the charts render what the API server knows, and are wrong values named? Nothing is installed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from chart_rules import CHARTS, rules
from e2e.installed_operator import RELEASE, helm, install_definitions, try_helm
from e2e.running_cluster import Cluster

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300)]

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
        "sessionCredentials.enabled=true",
        "disruption.enabled=true",
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


def test_what_watches_the_fleet_is_made_where_it_was_asked_for() -> None:
    wanted = ("serviceMonitor", "podMonitor", "prometheusRule", "grafanaDashboard")
    kinds = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"}
    assert kinds.isdisjoint(each["kind"] for each in template("metrics.enabled=true"))
    link = "prometheusRule.runbookUrl=https://wiki.example.com/operations"
    documents = template("metrics.enabled=true", *(f"{name}.enabled=true" for name in wanted), link)
    assert kinds <= {each["kind"] for each in documents}
    (service,) = (each for each in documents if each["metadata"]["name"] == f"{OPERATOR}-metrics")
    (monitor,) = of_kind("ServiceMonitor", documents).values()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (pods,) = of_kind("PodMonitor", documents).values()
    assert [each["port"] for each in pods["spec"]["podMetricsEndpoints"]] == ["keeper", "http"]
    assert all(each["relabelings"][0]["targetLabel"] == "dwf" for each in pods["spec"]["podMetricsEndpoints"])
    (rules_,) = of_kind("PrometheusRule", documents).values()
    links = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in rules_["spec"]["groups"][0]["rules"]}
    assert links == {"https://wiki.example.com/operations"}


def test_traces_go_where_the_values_say_and_a_policy_lets_them() -> None:
    policy = "networkPolicy.enabled=true"
    (silent,) = of_kind("Deployment", template(policy)).values()
    (container,) = silent["spec"]["template"]["spec"]["containers"]
    assert "--telemetry" not in container["args"]
    assert "env" not in container
    for endpoint, port in (("http://collector.monitoring.svc:4318", 4318), ("https://traces.example.com/otlp", 443)):
        documents = template(policy, f"traces.endpoint={endpoint}")
        (deployment,) = of_kind("Deployment", documents).values()
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert "--telemetry" in container["args"]
        assert container["env"] == [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": endpoint}]
        (made,) = of_kind("NetworkPolicy", documents).values()
        assert {"ports": [{"port": port}]} in made["spec"]["egress"]
    refused = try_helm("template", RELEASE, str(CHART), "--namespace=dormouse", "--set=traces.endpoint=collector:4318")
    assert "traces/endpoint" in refused.stderr.replace(".", "/")


def test_workflows_behind_a_policy_are_scraped_only_by_whom_the_values_name() -> None:
    values = ("namespaces={team-a}", "podMonitor.enabled=true", "networkPolicy.workflows.enabled=true")
    settings = [f"--set={value}" for value in values]
    refused = try_helm("template", RELEASE, str(CHART), "--namespace=dormouse", *settings)
    assert "needs networkPolicy.metricsFrom" in refused.stderr
    documents = template(*values, "networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus")
    policy = of_kind("NetworkPolicy", documents)["team-a/dormouse-workflows"]
    peer = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
    assert {"ports": [{"port": "http"}, {"port": "keeper"}], "from": [peer]} in policy["spec"]["ingress"]


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


def rules_for(*values: str) -> list[dict[str, Any]]:
    """What the operator may do in a served namespace: the same whether it is one of some, or of all."""
    everywhere = of_kind("ClusterRole", template(*values))[f"/{OPERATOR}"]
    within = of_kind("Role", template("namespaces={team-a}", *values))[f"team-a/{OPERATOR}"]
    assert within["rules"] == everywhere["rules"]
    found: list[dict[str, Any]] = within["rules"]
    return found


def test_with_all_that_is_optional_no_other_rules_are_granted_than_those_that_tests_know() -> None:
    assert all(rule in rules() for rule in rules_for("sessionCredentials.enabled=true", "disruption.enabled=true"))


def test_secrets_are_only_created_where_sessions_are_wanted() -> None:
    (secrets,) = [rule for rule in rules_for() if "secrets" in rule["resources"]]
    assert secrets["verbs"] == ["get", "patch"]
    (secrets,) = [rule for rule in rules_for("sessionCredentials.enabled=true") if "secrets" in rule["resources"]]
    assert secrets["verbs"] == ["get", "patch", "create"]


def test_budgets_are_kept_and_nodes_listed_only_where_drains_shall_wait() -> None:
    assert not [rule for rule in rules_for() if "poddisruptionbudgets" in rule["resources"]]
    (budgets,) = [r for r in rules_for("disruption.enabled=true") if "poddisruptionbudgets" in r["resources"]]
    assert budgets["verbs"] == ["get", "create", "delete"]
    roles = of_kind("ClusterRole", template("namespaces={team-a}", "disruption.enabled=true"))
    (cordons,) = [role["rules"] for name, role in roles.items() if name.endswith("-cordons")]
    assert cordons == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]


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


def test_people_may_look_and_change_by_kubernetes_own_roles() -> None:
    label = "rbac.authorization.k8s.io/aggregate-to-"
    verbs = {
        name.removeprefix(label): sorted(each["rules"][0]["verbs"])
        for each in of_kind("ClusterRole", template()).values()
        for name in each["metadata"]["labels"]
        if name.startswith(label)
    }
    assert verbs == {
        "view": ["get", "list", "watch"],
        "edit": ["create", "delete", "deletecollection", "patch", "update"],
    }
