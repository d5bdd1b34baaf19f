"""Is the test cluster a cluster? What the other e2e tests lean on, each shown by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import obstore
import pytest
from obstore.exceptions import BaseError

from e2e.running_cluster import Cluster, eventually, restricted_pod

pytestmark = pytest.mark.timeout(300)

# Each half second one line: the time, and whether the store took a connection.
WATCH_THE_STORE = """
import socket, sys, time
host, port = sys.argv[1:]
while True:
    try:
        socket.create_connection((host, int(port)), timeout=0.5).close()
        print(time.time(), "reached", flush=True)
    except OSError:
        print(time.time(), "missed", flush=True)
    time.sleep(0.5)
"""
ASK_THE_STORE = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=5)
except urllib.error.HTTPError as refused:
    print(refused.code, refused.headers["Server"])
"""


@dataclass(frozen=True)
class Watcher:
    """A pod on one node that writes down when it reaches the store."""

    cluster: Cluster
    namespace: str
    node: str

    @property
    def name(self) -> str:
        return f"watcher-{self.node}"

    def run(self, *command: str) -> str:
        """Run a command in the pod."""
        return self.cluster.kubectl("--namespace", self.namespace, "exec", self.name, "--", *command)

    def answers(self) -> bool:
        """Whether the API server can run a command in the pod, by its node's kubelet."""
        command = ("--request-timeout=3s", "--namespace", self.namespace, "exec", self.name, "--", "true")
        return self.cluster.try_kubectl(*command).returncode == 0

    def status(self) -> dict[str, object]:
        found = self.cluster.get("--namespace", self.namespace, "pod", self.name)
        state: dict[str, object] = found["status"]["containerStatuses"][0]
        return state

    def seen(self, word: str, since: float, until: float = float("inf")) -> bool:
        """Whether the pod wrote this word between two moments."""
        lines = self.cluster.kubectl("--namespace", self.namespace, "logs", self.name, "--tail=300").splitlines()
        return any(line.endswith(word) and since < float(line.split()[0]) < until for line in lines)


@pytest.fixture(scope="module")
def watchers(cluster: Cluster, namespace: str) -> Iterator[list[Watcher]]:
    """One watcher on each node."""
    made = [Watcher(cluster, namespace, node) for node in cluster.nodes]
    address = cluster.store["endpoint"].removeprefix("http://").split(":")
    for each in made:
        command = ("python", "-c", WATCH_THE_STORE, *address)
        cluster.apply(restricted_pod(namespace, each.name, each.node, cluster.base_image, command))
    for each in made:
        cluster.kubectl("--namespace", namespace, "wait", "--for=condition=Ready", f"pod/{each.name}", "--timeout=60s")
    yield made
    cluster.kubectl("--namespace", namespace, "delete", "pods", "--all", "--force", "--grace-period=0")


def test_there_are_two_nodes_and_both_are_ready(cluster: Cluster) -> None:
    assert len(cluster.nodes) == 2
    assert all(cluster.is_ready(node) for node in cluster.nodes)


def test_kubectl_has_the_version_of_the_cluster(cluster: Cluster) -> None:
    versions = {line.split()[-1] for line in cluster.kubectl("version").splitlines() if "ustomize" not in line}
    assert len(versions) == 1


def test_a_command_runs_on_the_node_that_is_named(cluster: Cluster) -> None:
    assert [cluster.run(node, "sh", "-c", "hostname").strip() for node in cluster.nodes] == list(cluster.nodes)


def test_a_restricted_pod_runs_on_each_node(watchers: list[Watcher]) -> None:
    for each in watchers:
        assert each.status()["ready"]
        assert each.run("id", "-u").strip() == "65532"


def test_a_pod_that_is_not_restricted_is_refused(cluster: Cluster, namespace: str) -> None:
    pod = restricted_pod(namespace, "root", cluster.nodes[0], cluster.base_image, ["true"])
    del pod["spec"]["securityContext"]["runAsNonRoot"]
    refused = cluster.try_kubectl("apply", "--filename=-", document=pod)
    assert refused.returncode != 0
    assert "violates PodSecurity" in refused.stderr


def test_names_of_services_resolve_from_each_node(watchers: list[Watcher], cluster: Cluster) -> None:
    address = cluster.get("--namespace", "default", "service", "kubernetes")["spec"]["clusterIP"]
    for each in watchers:
        asked = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
        assert each.run("python", "-c", asked).strip() == address


def test_the_store_answers_from_each_node(watchers: list[Watcher], cluster: Cluster) -> None:
    url = f"{cluster.store['endpoint']}/{cluster.store['bucket']}/nothing"
    for each in watchers:
        assert each.run("python", "-c", ASK_THE_STORE, url).startswith("403 SeaweedFS")


def test_a_store_that_was_killed_comes_back_with_what_it_took(cluster: Cluster, namespace: str) -> None:
    bucket = cluster.bucket()
    key = f"{namespace}/kept"
    obstore.put(bucket, key, b"kept")
    with cluster.stopped(cluster.store_program), pytest.raises(BaseError):
        obstore.put(cluster.bucket(retries=0), f"{namespace}/lost", b"lost")

    def read() -> bytes:
        try:
            return bytes(obstore.get(bucket, key).bytes())
        except BaseError:
            return b""

    assert eventually("the store answers again", read, seconds=60) == b"kept"


def test_a_restarted_kubelet_leaves_its_pods_running(watchers: list[Watcher], cluster: Cluster) -> None:
    one = watchers[0]
    before = one.status()["containerID"]
    with cluster.stopped(f"{one.node}/kubelet"):
        assert not one.answers()
    eventually("the kubelet serves again", one.answers, seconds=60)
    assert one.status()["containerID"] == before


def test_a_node_cut_off_from_the_store_only_is_alone_in_that(watchers: list[Watcher], cluster: Cluster) -> None:
    cut, whole = watchers
    with cluster.cut(cut.node, "store"):
        since = time.time()
        eventually("the pod misses the store", lambda: cut.seen("missed", since), seconds=20)
        assert whole.seen("reached", since)
        assert cluster.is_ready(cut.node)
    healed = time.time()
    eventually("the pod reaches the store again", lambda: cut.seen("reached", healed), seconds=20)


@pytest.mark.long
def test_a_node_cut_off_from_the_api_server_only_keeps_its_pods_and_the_store(
    watchers: list[Watcher], cluster: Cluster
) -> None:
    cut, whole = watchers
    with cluster.cut(cut.node, "api"):
        since = time.time()
        eventually("the node is called lost", lambda: not cluster.is_ready(cut.node), seconds=90)
        lost = time.time()
        assert cluster.is_ready(whole.node)
    eventually("the node is Ready again", lambda: cluster.is_ready(cut.node), seconds=60)
    assert cut.seen("reached", lost - 5, lost)
    assert not cut.seen("missed", since, lost)


@pytest.mark.long
def test_a_node_cut_off_from_everything_reaches_nothing_until_healed(watchers: list[Watcher], cluster: Cluster) -> None:
    cut, whole = watchers
    with cluster.cut(cut.node, "all"):
        since = time.time()
        eventually("the pod is out of reach", lambda: not cut.answers(), seconds=60)
        assert whole.seen("reached", since)
    healed = time.time()
    eventually("the pod reaches the store again", lambda: cut.seen("reached", healed), seconds=30)
    assert cut.seen("missed", since, healed)
    assert not cut.seen("reached", since + 1, healed)
