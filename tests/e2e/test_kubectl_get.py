"""What does `kubectl get` tell a person of a workflow? What runs where, from which position, and why not."""

from __future__ import annotations

import dataclasses

import pytest

from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(300), pytest.mark.usefixtures("operator")]


def table(cluster: Cluster, one: ChainWorkflow, *options: str) -> dict[str, str]:
    """The row of this workflow, by its headings."""
    printed = cluster.kubectl("--namespace", one.namespace, "get", "dwf", one.name, *options).splitlines()
    headings = printed[0].split()
    starts = [printed[0].index(f"{heading} " if heading != headings[-1] else heading) for heading in headings]
    ends = [*starts[1:], None]
    return {heading: printed[1][start:end].strip() for heading, start, end in zip(headings, starts, ends, strict=True)}


def test_a_running_workflow_says_where_it_runs_and_from_where_it_was_restored(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace, steps=1000).apply()
    one.wait_for_steps()
    eventually("it runs", lambda: table(cluster, one)["PHASE"] == "Running", seconds=30)
    shown = table(cluster, one)
    assert list(shown) == ["NAME", "PHASE", "REASON", "EPOCH", "RESTORED-FROM", "NODE", "AGE"]
    assert (shown["EPOCH"], shown["RESTORED-FROM"], shown["NODE"]) == ("1", "", one.node)

    cluster.kubectl("--namespace", namespace, "delete", "pod", one.pod()["metadata"]["name"])
    one.wait_for_epoch(2)
    eventually("the origin is known", lambda: table(cluster, one)["RESTORED-FROM"], seconds=30)
    shown = table(cluster, one, "--output=wide")
    sealed = one.stored.current().lineage[0].sealed_txid
    assert (shown["EPOCH"], shown["RESTORED-FROM"], shown["NODE"]) == ("2", f"1/{sealed}", one.node)
    assert shown["POD"] == f"{one.name}-e2"
    assert one.name in shown["MESSAGE"]
    status = one.status()
    assert status["claimedAt"]
    assert status["restoredAt"]
    assert f"epoch 2 was restored from 1/{sealed}" in described(cluster, one)
    one.delete()


def described(cluster: Cluster, one: ChainWorkflow) -> str:
    return cluster.kubectl("--namespace", one.namespace, "describe", "dwf", one.name)


def test_a_pod_that_no_node_takes_says_so_and_a_smaller_one_goes_on(cluster: Cluster, namespace: str) -> None:
    runtime = {"resources": {"requests": {"memory": "4Ti"}}}
    one = ChainWorkflow(cluster, namespace, steps=10, runtime=runtime).apply()
    eventually("it says why", lambda: table(cluster, one)["REASON"] == "Unschedulable", seconds=60)
    assert "nodes are available" in table(cluster, one, "--output=wide")["MESSAGE"]
    assert table(cluster, one)["NODE"] == ""
    assert "Unschedulable" in described(cluster, one)
    one.patch(template=dataclasses.replace(one, runtime={}).manifest()["spec"]["template"])
    assert one.finish() == []
    one.delete()


def test_a_store_that_is_missing_is_named(cluster: Cluster, namespace: str) -> None:
    one = ChainWorkflow(cluster, namespace, spec={"storage": {"storeRef": {"name": "nowhere"}}}).apply()
    eventually("it says why", lambda: table(cluster, one)["REASON"] == "StoreNotFound", seconds=30)
    assert "there is no ObjectStore `nowhere`" in table(cluster, one, "--output=wide")["MESSAGE"]
    one.delete()
