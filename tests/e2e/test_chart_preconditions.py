"""Does the chart refuse what a cluster says against it? A real helm, and an API server that answers from a table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from chart_rules import CHARTS
from e2e.installed_operator import RELEASE, try_helm

pytestmark = pytest.mark.own_namespace

RBAC = "rbac.authorization.k8s.io/v1"
KINDS = {
    "v1": [
        ("namespaces", "Namespace", False),
        ("services", "Service", True),
        ("serviceaccounts", "ServiceAccount", True),
    ],
    "apps/v1": [("deployments", "Deployment", True)],
    "policy/v1": [("poddisruptionbudgets", "PodDisruptionBudget", True)],
    "networking.k8s.io/v1": [("networkpolicies", "NetworkPolicy", True)],
    RBAC: [
        ("roles", "Role", True),
        ("rolebindings", "RoleBinding", True),
        ("clusterroles", "ClusterRole", False),
        ("clusterrolebindings", "ClusterRoleBinding", False),
    ],
    "apiextensions.k8s.io/v1": [("customresourcedefinitions", "CustomResourceDefinition", False)],
    "dormouse.dev/v1alpha1": [("durableworkflows", "DurableWorkflow", True), ("objectstores", "ObjectStore", True)],
}
OURS = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": "dormouse"}
THEIRS = {"meta.helm.sh/release-name": "second", "meta.helm.sh/release-namespace": "dormouse"}
OPERATOR = "dormouse-operator"

Cluster = dict[str, dict[str, Any]]
"""What is found below each path of the API."""


def named(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Some", "metadata": {"name": name, **metadata}}


def cluster(*, roles: dict[str, dict[str, str]], workflows: tuple[str, ...], everywhere: bool = False) -> Cluster:
    """Namespaces with the Role of a release, and namespaces with a workflow."""
    found: Cluster = {f"api/v1/namespaces/{name}": named(name) for name in ("kube-system", "shop", "team")}
    definition = "durableworkflows.dormouse.dev"
    found[f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}"] = named(definition)
    for namespace, owner in roles.items():
        role = named(OPERATOR, namespace=namespace, annotations=owner)
        found[f"apis/{RBAC}/namespaces/{namespace}/roles/{OPERATOR}"] = role
    if everywhere:
        found[f"apis/{RBAC}/clusterroles/{OPERATOR}"] = named(OPERATOR, annotations=OURS)
    listed = {
        f"apis/{RBAC}/roles": [named(OPERATOR, namespace=each, annotations=owner) for each, owner in roles.items()],
        "apis/dormouse.dev/v1alpha1/durableworkflows": [named("counter", namespace=each) for each in workflows],
    }
    for path, items in listed.items():
        found[path] = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}
    return found


def discovery() -> Cluster:
    """Which kinds there are."""
    groups = [
        {"name": each.split("/")[0], "versions": [version], "preferredVersion": version}
        for each in KINDS
        if "/" in each and (version := {"groupVersion": each, "version": each.split("/")[1]})
    ]
    found: Cluster = {
        "version": {"major": "1", "minor": "35", "gitVersion": "v1.35.0"},
        "api": {"kind": "APIVersions", "versions": ["v1"]},
        "apis": {"kind": "APIGroupList", "groups": groups},
    }
    for group, kinds in KINDS.items():
        resources = [
            {"name": plural, "kind": kind, "namespaced": is_namespaced, "verbs": ["get", "list"]}
            for plural, kind, is_namespaced in kinds
        ]
        path = f"apis/{group}" if "/" in group else f"api/{group}"
        found[path] = {"kind": "APIResourceList", "groupVersion": group, "resources": resources}
    return found


@contextmanager
def serving(table: Cluster) -> Iterator[str]:
    """The URL of an API server that knows this and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].strip("/")
            answer = table.get(path, {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404})
            body = msgspec.json.encode(answer)
            self.send_response(200 if path in table else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as it is called
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusal(table: Cluster, *values: str, is_upgrade: bool = True) -> str:
    """What Helm says against the release; empty when it would be installed."""
    options = ["--dry-run=server", "--disable-openapi-validation", *(f"--set={value}" for value in values)]
    if is_upgrade:
        options.append("--is-upgrade")
    with serving({**discovery(), **table}) as url:
        chart = str(CHARTS / "dormouse")
        asked = try_helm("template", RELEASE, chart, "--namespace=dormouse", f"--kube-apiserver={url}", *options)
    return asked.stderr if asked.returncode else ""


def test_a_namespace_with_workflows_does_not_leave_the_list() -> None:
    both = cluster(roles={"shop": OURS, "team": OURS}, workflows=("shop", "team"))
    assert "namespaces: shop leaves the list, but it has DurableWorkflows" in refusal(both, "namespaces={team}")
    assert refusal(both, "namespaces={shop,team}") == ""


def test_a_namespace_without_workflows_leaves_the_list() -> None:
    assert refusal(cluster(roles={"shop": OURS, "team": OURS}, workflows=("team",)), "namespaces={team}") == ""


def test_a_namespace_is_handed_over_to_another_release() -> None:
    both = cluster(roles={"shop": OURS, "team": OURS}, workflows=("shop",))
    assert refusal(both, "namespaces={team}", "handOver={shop}") == ""


def test_what_another_release_serves_does_not_concern_this_one() -> None:
    both = cluster(roles={"shop": THEIRS, "team": OURS}, workflows=("shop",))
    assert refusal(both, "namespaces={team}") == ""


def test_a_release_for_all_namespaces_does_not_leave_one_with_workflows() -> None:
    all_served = cluster(roles={}, workflows=("shop",), everywhere=True)
    assert "namespaces: shop leaves the list" in refusal(all_served, "namespaces={team}")
    assert refusal(all_served) == ""


def test_a_namespace_that_another_release_serves_is_refused() -> None:
    theirs = cluster(roles={"shop": THEIRS}, workflows=())
    said = refusal(theirs, "namespaces={shop}", is_upgrade=False)
    assert "namespaces: shop is served by release second in namespace dormouse already" in said
