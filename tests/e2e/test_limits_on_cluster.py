"""What do the limits of a namespace do to workflows? The API server's own words come through, and work goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import InstalledOperator
from e2e.running_cluster import Cluster, eventually

pytestmark = pytest.mark.timeout(300)


@contextmanager
def limited(cluster: Cluster, namespace: str, kind: str, spec: Mapping[str, Any]) -> Iterator[None]:
    """Until the end of the block; a quota counts from here on."""
    name = f"--namespace={namespace}"
    metadata = {"name": "small", "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": dict(spec)})
    if kind == "ResourceQuota":
        hard = set(spec["hard"])

        def counts() -> bool:
            return set(cluster.get(name, "quota", "small").get("status", {}).get("used", {})) == hard

        eventually("the quota counts", counts, seconds=30)
    try:
        yield
    finally:
        cluster.kubectl(name, "delete", kind, "small")


def is_refused(one: ChainWorkflow, reason: str) -> str:
    """The message, once it says so."""

    def message() -> str:
        told = one.condition("Stalled")
        return str(told["message"]) if told.get("reason") == reason else ""

    return eventually(f"it says {reason}", message, seconds=60)


def test_a_quota_of_workflows_is_the_api_server_s_to_refuse(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    with limited(cluster, namespace, "ResourceQuota", {"hard": {"count/durableworkflows.dormouse.dev": "1"}}):
        first = ChainWorkflow(cluster, namespace, steps=10).apply()
        second = ChainWorkflow(cluster, namespace).manifest()
        refused = cluster.try_kubectl("create", "--filename=-", document=second)
        assert refused.returncode != 0
        assert "exceeded quota: small, requested: count/durableworkflows.dormouse.dev=1" in refused.stderr
        assert first.finish() == []


def test_one_that_finds_no_room_in_the_quota_says_so_and_goes_on_when_another_ends(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    with limited(cluster, namespace, "ResourceQuota", {"hard": {"pods": "1"}}):
        first = ChainWorkflow(cluster, namespace, steps=60).apply()
        first.wait_for_steps()
        second = ChainWorkflow(cluster, namespace, steps=10).apply()
        told = is_refused(second, "QuotaExceeded")
        assert "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1" in told
        assert "raise the ResourceQuota" in told
        assert first.finish() == []
        assert second.finish() == []
        assert second.status()["epoch"] == 1, "a refused pod costs no epoch"


def test_a_quota_is_told_with_its_remedy_and_raising_it_is_all_there_is_to_do(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    with limited(cluster, namespace, "ResourceQuota", {"hard": {"requests.cpu": "15m"}}):
        one = ChainWorkflow(cluster, namespace, steps=10).apply()
        assert "requested: requests.cpu=20m" in is_refused(one, "QuotaExceeded")
        patch = '--patch={"spec": {"hard": {"requests.cpu": "1"}}}'
        cluster.kubectl(f"--namespace={namespace}", "patch", "quota", "small", "--type=merge", patch)
        assert one.finish() == []
        assert {attempt.epoch for attempt in one.attempts()} == {1}


def test_a_limit_range_that_refuses_the_pod_is_told_and_its_end_is_noticed(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    small: dict[str, Any] = {"type": "Container", "max": {"memory": "32Mi"}}
    with limited(cluster, namespace, "LimitRange", {"limits": [small]}):
        one = ChainWorkflow(cluster, namespace, steps=10).apply()
        assert "or the LimitRange of the namespace" in is_refused(one, "PodRefused")
    assert one.finish() == []
    assert {attempt.epoch for attempt in one.attempts()} == {1}


def test_a_limit_range_that_changes_the_pod_is_no_reason_to_replace_it(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    roomy = {"type": "Container", "default": {"memory": "512Mi", "cpu": "1"}, "max": {"memory": "1Gi", "cpu": "2"}}
    with limited(cluster, namespace, "LimitRange", {"limits": [roomy]}):
        one = ChainWorkflow(cluster, namespace, steps=20).apply()
        one.wait_for_steps()
        containers = one.pod()["spec"]["containers"] + one.pod()["spec"]["initContainers"]
        assert {each["resources"]["limits"]["memory"] for each in containers} == {"512Mi"}
        assert one.finish() == []
    assert {attempt.epoch for attempt in one.attempts()} == {1}
