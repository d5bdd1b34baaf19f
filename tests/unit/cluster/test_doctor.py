"""Does the doctor find what is wrong on a cluster, name the remedy, and leave in peace what is as it should be?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from dormouse._commands import root
from dormouse.cluster.findings import (
    NEEDED,
    Finding,
    of_fields,
    of_lease,
    of_operators,
    of_store,
    of_version,
    of_workflow,
)
from dormouse.cluster.seen import Seen
from markdown_blocks import REPOSITORY
from scripted_kubectl import Refusal, ScriptedKubectl

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
DEFINITION: dict[str, Any] = yaml.safe_load((REPOSITORY / "crds" / "durableworkflows.yaml").read_text())


def condition(kind: str, status: str, reason: str = "Reason") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": "as it is"}


def named(name: str, *conditions: dict[str, str], **more: Any) -> dict[str, Any]:
    status = {"conditions": list(conditions)} if conditions else {}
    return {"metadata": {"name": name, "namespace": "team"}, "status": status, **more}


def operator(ready: int = 2, release: str = version("dormouse")) -> dict[str, Any]:
    labels = {"app.kubernetes.io/version": release}
    return {
        "metadata": {"name": "dormouse-operator", "namespace": "dormouse", "labels": labels},
        "spec": {"replicas": 2},
        "status": {"readyReplicas": ready},
    }


def lease(renewed: datetime, holder: str = "pod-1") -> dict[str, Any]:
    moment = renewed.isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec = {"holderIdentity": holder, "renewTime": moment, "leaseDurationSeconds": 15}
    return {"metadata": {"name": "dormouse-operator", "namespace": "dormouse"}, "spec": spec}


def reviews(refused: str = "") -> str:
    answers = [{"status": {"allowed": one.text != refused}} for one in NEEDED]
    return "".join(json.dumps(answer, indent=4) + "\n" for answer in answers)


def well() -> dict[str, Any]:
    """A cluster on which nothing is wrong."""
    resources = [{"name": "durableworkflows"}, {"name": "durableworkflows/status"}, {"name": "objectstores"}]
    return {
        "^version": {"serverVersion": {"major": "1", "minor": "34+", "gitVersion": "v1.34.1"}},
        "get --raw /apis/dormouse.dev/v1alpha1": {"resources": resources},
        "get --raw /apis": {"groups": [{"name": "apps"}, {"name": "dormouse.dev"}]},
        "get customresourcedefinitions": DEFINITION,
        "get deployments": {"items": [operator()]},
        "get lease": lease(datetime.now(UTC)),
        "^config view": {"contexts": [{"context": {"namespace": "team"}}]},
        "^create": reviews(),
        "get objectstores": {"items": [named("default", condition("Available", "True"))]},
        "get durableworkflows": {"items": [named("shop", condition("Stalled", "False"))]},
    }


def test_where_all_is_well_nothing_is_asked_of_anybody(kubectl: ScriptedKubectl) -> None:
    kubectl.answers(well())
    ended = CliRunner().invoke(root, ["doctor"])
    assert ended.exit_code == 0, ended.output
    assert (
        ended.output
        == """\
ok  cluster      it answers, and is Kubernetes v1.34.1
ok  definitions  durableworkflows and objectstores are served as v1alpha1
ok  definitions  they are those of this program
ok  operator     dormouse/dormouse-operator: 2 of 2 replicas are ready
ok  lease        pod-1 leads
ok  permissions  you may do here all that the verbs need
ok  stores       team/default can be used
ok  workflows    1 looked at, none needs anybody
"""
    )
    asked = [one["spec"]["resourceAttributes"] for one in map(json.loads, kubectl.given().splitlines())]
    assert {one["namespace"] for one in asked} == {"team"}
    assert {"verb": "create", "resource": "pods", "subresource": "portforward", "namespace": "team"} in asked


def test_the_stores_workflows_and_rights_of_all_namespaces_are_looked_at(kubectl: ScriptedKubectl) -> None:
    kubectl.answers(well())
    ended = CliRunner().invoke(root, ["doctor", "-A"])
    assert ended.exit_code == 0, ended.output
    assert "you may do in all namespaces all that the verbs need" in ended.output
    looked = [line for line in kubectl.asked() if line.startswith(("get objectstores", "get durableworkflows"))]
    assert len(looked) == 2
    assert all("--all-namespaces" in line for line in looked)
    asked = [one["spec"]["resourceAttributes"] for one in map(json.loads, kubectl.given().splitlines())]
    assert not any(one.get("namespace") for one in asked)


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({"^version": Refusal("The connection to the server was refused")}, 1, "nothing else can be looked at before"),
        ({"get --raw /apis$": {"groups": [{"name": "apps"}]}}, 1, "charts/dormouse-crds"),
        ({"get deployments": {"items": []}}, 1, "there is none: nothing starts, and no lost pod is replaced"),
        ({"get lease": lease(NOW, "")}, 1, "nobody holds dormouse/dormouse-operator"),
        ({"^create": reviews("patch durableworkflows")}, 0, "which is for suspend and resume"),
        ({"^create": "{}\n"}, 0, "not looked at: the API server did not answer each question"),
        ({"get objectstores": {"items": []}}, 0, "workflows need one in their own namespace"),
        ({"get durableworkflows": {"items": [named("shop")]}}, 1, "no operator has seen it"),
        (
            {"get deployments": Refusal('User "ada" cannot list resource "deployments" in API group "apps"')},
            0,
            "not looked at: ada may not list deployments.apps in the whole cluster",
        ),
    ],
)
def test_what_is_not_well_is_told_and_the_rest_is_looked_at_all_the_same(
    kubectl: ScriptedKubectl, changed: dict[str, Any], code: int, told: str
) -> None:
    kubectl.answers({**changed, **well(), **changed})
    ended = CliRunner().invoke(root, ["doctor", "-o", "json"])
    assert ended.exit_code == code, ended.output
    found = json.loads(ended.output)["findings"]
    assert [one for one in found if told in f"{one['message']} {one['remedy']}"], found
    assert any(one["level"] == "wrong" for one in found) == bool(code)


@pytest.mark.parametrize(("minor", "level"), [("32", "wrong"), ("33", "ok"), ("40+", "ok"), ("x", "wrong")])
def test_the_cluster_has_to_be_new_enough(minor: str, level: str) -> None:
    assert of_version({"serverVersion": {"major": "1", "minor": minor}}).level == level
    assert of_version({}).level == "wrong"


def test_definitions_that_drop_or_add_fields_are_told() -> None:
    there = ["spec.storage", "spec.future"]
    assert of_fields(DEFINITION, there).message == "they are older than this program and drop spec.future"
    newer = of_fields(DEFINITION, ["spec.storage"])
    assert (newer.level, newer.remedy) == ("note", "upgrade this program")


@pytest.mark.parametrize(("ready", "level"), [(2, "ok"), (1, "note"), (0, "wrong")])
def test_an_operator_with_one_replica_still_acts(ready: int, level: str) -> None:
    assert [one.level for one in of_operators([operator(ready)], version("dormouse"))] == [level]


def test_an_operator_of_another_version_is_noticed() -> None:
    (_, found) = of_operators([operator(release="9")], "10")
    assert found.message == "dormouse/dormouse-operator is of version 9, this program of 10"


@pytest.mark.parametrize(("seconds", "level"), [(5, "ok"), (59, "ok"), (61, "wrong")])
def test_a_lease_that_nobody_renews_is_wrong(seconds: int, level: str) -> None:
    assert of_lease(lease(NOW - timedelta(seconds=seconds)), NOW).level == level


def test_a_store_that_cannot_be_used_is_wrong_and_a_warning_is_a_note() -> None:
    denied, expiring = condition("Available", "False", "StoreDenied"), condition("BucketSettings", "False", "Lifecycle")
    assert of_store(named("kept", denied, expiring)) == [
        Finding(
            "stores", "wrong", "team/kept: StoreDenied: as it is", "correct the credentials in the ObjectStore's Secret"
        ),
        Finding("stores", "note", "team/kept: Lifecycle: as it is", "see docs/stores.md"),
    ]
    assert of_store(named("new"))[0].message == "team/new was not tried out yet"


def test_a_workflow_that_needs_somebody_says_each_reason_once() -> None:
    stalled, lagging = condition("Stalled", "True", "StoreDenied"), condition("Replicating", "False", "StoreDenied")
    blocked = condition("Blocked", "True", "NonDeterministic")
    found = of_workflow(Seen(named("shop", stalled, blocked, lagging)))
    assert [one.message for one in found] == [
        "team/shop: StoreDenied: as it is", "team/shop: NonDeterministic: as it is",
    ]  # fmt: skip
    resting = condition("Replicating", "False", "Suspended")
    assert of_workflow(Seen(named("shop", resting))) == []
