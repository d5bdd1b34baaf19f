"""Does a real `kubectl drain` wait for a workflow with `spec.disruption`, and not longer than that says?"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.chain_workflow import ChainWorkflow, store_documents
from e2e.installed_operator import InstalledOperator, installed
from e2e.running_cluster import Cluster, eventually

pytestmark = pytest.mark.timeout(400)

SLEEPER = """
import asyncio

from dormouse import workflow


@workflow
async def sleep() -> None:
    await asyncio.sleep(86400)
"""


@pytest.fixture(scope="module")
def operator(cluster: Cluster, namespace: str) -> Iterator[InstalledOperator]:
    """One that may list nodes and keep budgets."""
    with installed(cluster, namespace, "disruption.enabled=true") as made:
        yield made


def budgets(cluster: Cluster, namespace: str, name: str) -> list[dict[str, Any]]:
    selector = f"--selector=dormouse.dev/name={name}"
    items: list[dict[str, Any]] = cluster.get("--namespace", namespace, "poddisruptionbudgets", selector)["items"]
    return items


def guarded(cluster: Cluster, namespace: str, name: str) -> None:
    """Until the budget allows no eviction because the pod is ready."""

    def counts() -> bool:
        statuses = [each.get("status", {}) for each in budgets(cluster, namespace, name)]
        return [(each.get("currentHealthy"), each.get("disruptionsAllowed")) for each in statuses] == [(1, 0)]

    eventually("the budget counts its pod", counts, seconds=60)


@contextmanager
def drained(cluster: Cluster, node: str, name: str) -> Iterator[None]:
    """`kubectl drain` of the workflow's pod came to its end."""
    command = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")
    try:
        cluster.kubectl(*command, f"--pod-selector=dormouse.dev/name={name}", seconds=250)
        yield
    finally:
        cluster.kubectl("uncordon", node)


def test_an_eviction_is_refused_and_a_drain_waits_while_the_workflow_runs_but_no_longer_than_it_may(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    seconds = 20
    one = ChainWorkflow(cluster, namespace, steps=400, spec={"disruption": {"waitForIdleSeconds": seconds}}).apply()
    one.wait_for_steps()
    guarded(cluster, namespace, one.name)
    pod, node = one.pod()["metadata"]["name"], one.node
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    refused = cluster.try_kubectl("create", "--raw", path, "--filename=-", document=eviction)
    assert "Cannot evict pod as it would violate the pod's disruption budget" in refused.stderr
    began = time.monotonic()
    with drained(cluster, node, one.name):
        assert time.monotonic() - began >= seconds - 1, "it waited"
        one.wait_for_epoch(2)
        assert one.node != node
        assert one.stored.current().lineage[0].sealed_txid is not None
    one.patch(disruption=None)
    eventually("the budget goes with the field", lambda: not budgets(cluster, namespace, one.name), seconds=60)
    assert one.finish(seconds=240) == []


def test_one_that_sleeps_leaves_at_once_and_keeps_no_budget_when_it_is_suspended(
    cluster: Cluster, namespace: str, operator: InstalledOperator
) -> None:
    name = f"sleeper-{secrets.token_hex(3)}"
    mine = ("--namespace", namespace)
    spec = {
        "entrypoint": "sleeper",
        "source": {"inline": SLEEPER},
        "start": {"workflow": "sleep"},
        "disruption": {"waitForIdleSeconds": 86400},
        "storage": {"storeRef": {"name": "kept"}},
    }
    metadata = {"name": name, "namespace": namespace}
    manifest = {"apiVersion": "dormouse.dev/v1alpha1", "kind": "DurableWorkflow", "metadata": metadata, "spec": spec}
    cluster.apply(*store_documents(cluster, namespace, namespace), manifest)
    cluster.kubectl(*mine, "wait", f"dwf/{name}", "--for=condition=Ready", "--timeout=90s", seconds=100)
    guarded(cluster, namespace, name)
    node = cluster.get(*mine, "pod", f"{name}-e1")["spec"]["nodeName"]
    with drained(cluster, node, name):
        cluster.kubectl(*mine, "wait", f"dwf/{name}", "--for=jsonpath={.status.epoch}=2", "--timeout=90s", seconds=100)
        cluster.kubectl(*mine, "wait", f"dwf/{name}", "--for=condition=Ready", "--timeout=90s", seconds=100)
    cluster.kubectl(*mine, "patch", "dwf", name, "--type=merge", '--patch={"spec": {"operatingMode": "Suspended"}}')
    eventually("a suspended workflow keeps no budget", lambda: not budgets(cluster, namespace, name), seconds=60)
