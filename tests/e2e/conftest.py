"""What do the e2e tests share? One cluster a session, and a namespace of its own for each file."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Generator, Iterator

import pytest

from e2e.installed_operator import InstalledOperator, installed
from e2e.last_words import last_words
from e2e.running_cluster import HACK_CLUSTER, Cluster, hack_cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails tells what its namespaces looked like; they are gone soon after."""
    report = yield
    cluster, operator = item.funcargs.get("cluster"), item.funcargs.get("operator")
    if report.failed and isinstance(cluster, Cluster):
        namespaces = [item.funcargs[name] for name in ("namespace", "another_namespace") if name in item.funcargs]
        if isinstance(operator, InstalledOperator):
            namespaces.append(operator.namespace)
        for namespace in map(str, namespaces):
            report.sections.append((f"namespace {namespace}", last_words(cluster, namespace)))
    return report


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of `hack/cluster`, taken down at the end only if it was not up before."""
    if os.geteuid() != 0 and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a real cluster needs root, or a Docker daemon that answers")
    was_up = subprocess.run([str(HACK_CLUSTER), "status"], capture_output=True, check=False).returncode == 0
    if not was_up and "PYTEST_XDIST_WORKER" in os.environ:
        pytest.exit("run `hack/cluster up` before tests side by side: the first to end would take it from the others")
    yield Cluster.up()
    if not was_up:
        hack_cluster("down", seconds=120)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that lets in only pods of the `restricted` level."""
    name = f"e2e-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def another_namespace(cluster: Cluster) -> Iterator[str]:
    """One more, for one test."""
    name = f"e2e-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def operator(cluster: Cluster, namespace: str) -> Iterator[InstalledOperator]:
    """The operator of this tree, two replicas, serving the file's namespace."""
    with installed(cluster, namespace) as made:
        yield made
