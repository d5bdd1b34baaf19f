"""Does a deleted namespace end well although workflows run in it? Nothing can be created there any more, all goes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dormouse.replica.current import State
from e2e.chain_workflow import ChainWorkflow
from e2e.installed_operator import RELEASE, helm, install, install_definitions
from e2e.running_cluster import Cluster, eventually

pytestmark = pytest.mark.timeout(400)

ENDS_WITHIN_SECONDS = 150.0
"""A pod's grace, and what Kubernetes takes itself."""


@pytest.fixture
def doomed(cluster: Cluster) -> Iterator[str]:
    """A namespace that the test deletes."""
    name = f"e2e-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def operator(cluster: Cluster) -> Iterator[None]:
    """One for all namespaces."""
    with serving(cluster):
        yield


@contextmanager
def serving(cluster: Cluster, *namespaces: str) -> Iterator[None]:
    """An operator for these namespaces, or for all."""
    install_definitions()
    own = f"e2e-{secrets.token_hex(3)}-operator"
    install(RELEASE, own, *([f"namespaces={{{','.join(namespaces)}}}"] if namespaces else ()))
    try:
        yield
    finally:
        helm("uninstall", RELEASE, f"--namespace={own}", "--wait")
        cluster.kubectl("delete", "namespace", own, "--wait=false")


def delete(cluster: Cluster, namespace: str) -> None:
    """Delete it and see it go."""
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")

    def is_gone() -> bool:
        return cluster.try_kubectl("get", "namespace", namespace).returncode != 0

    eventually(f"namespace {namespace} is gone", is_gone, seconds=ENDS_WITHIN_SECONDS)


@pytest.mark.usefixtures("operator")
def test_what_runs_in_it_seals_and_its_data_is_retained_or_removed_as_was_asked(cluster: Cluster, doomed: str) -> None:
    check_that_running_workflows_go(cluster, doomed)


def test_it_takes_the_rights_of_an_operator_that_serves_it_alone_only_after_the_data_is_released(
    cluster: Cluster, doomed: str
) -> None:
    with serving(cluster, doomed):
        check_that_running_workflows_go(cluster, doomed)


def check_that_running_workflows_go(cluster: Cluster, doomed: str) -> None:
    """One of each deletion policy."""
    kept = ChainWorkflow(cluster, doomed, steps=1000).apply()
    removed = ChainWorkflow(cluster, doomed, steps=1000, spec={"deletionPolicy": "Delete"}).apply()
    for each in (kept, removed):
        each.wait_for_steps()
    delete(cluster, doomed)
    released = kept.stored.current()
    assert released.state is State.RELEASED
    assert released.entry.sealed_txid is not None
    assert kept.stored.epoch_objects()
    tombstone = removed.stored.current()
    assert (tombstone.state, tombstone.lineage) == (State.RELEASED, ())
    assert removed.stored.epoch_objects() == []


@pytest.mark.usefixtures("operator")
def test_a_workflow_that_is_only_starting_does_not_hold_it(cluster: Cluster, doomed: str) -> None:
    ChainWorkflow(cluster, doomed, spec={"image": "localhost/no-such-image:1"}).apply()
    ChainWorkflow(cluster, doomed).apply()
    delete(cluster, doomed)


@pytest.mark.usefixtures("operator")
def test_a_workflow_that_has_completed_releases_its_data_all_the_same(cluster: Cluster, doomed: str) -> None:
    one = ChainWorkflow(cluster, doomed, steps=5).apply()
    assert one.finish() == []
    delete(cluster, doomed)
    assert one.stored.current().state is State.RELEASED
