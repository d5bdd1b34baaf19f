"""How does a test install the operator? With the charts and images of this tree, as a person would."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.running_cluster import HACK_CLUSTER, Cluster, eventually, one_at_a_time

ROOT = HACK_CLUSTER.parents[1]
CHARTS = ROOT / "charts"
RELEASE = "dormouse"
STORE_PORT = "networkPolicy.storePorts={8333}"
"""Where the network plugin enforces policies, only known ports of stores are open."""


@functools.cache
def image_values() -> tuple[str, ...]:
    """The chart's values for the images of this tree; they are built and loaded into the nodes once a session."""
    command = [str(ROOT / "hack/images"), "--load"]
    with one_at_a_time():
        built = subprocess.run(command, check=True, timeout=1200, stdout=subprocess.PIPE, text=True).stdout
    worker, operator = (line.split()[0].rpartition(":") for line in built.splitlines())
    return (
        f"image.repository={operator[0]}",
        f"image.tag={operator[2]}",
        f"workerImage.repository={worker[0]}",
        f"workerImage.tag={worker[2]}",
    )


def helm(*arguments: str, seconds: float = 180.0) -> str:
    """Run helm to its end and return what it printed."""
    done = try_helm(*arguments, seconds=seconds)
    if done.returncode != 0:
        raise AssertionError(f"helm {' '.join(arguments)} ended with code {done.returncode}: {done.stderr}")
    return done.stdout


def try_helm(*arguments: str, seconds: float = 180.0) -> subprocess.CompletedProcess[str]:
    """Run helm to its end, whatever that is."""
    return subprocess.run(
        [str(HACK_CLUSTER), "helm", *arguments],
        capture_output=True, text=True, timeout=seconds, check=False, env=os.environ,
    )  # fmt: skip


def install_definitions() -> None:
    """The chart of the custom resources; takes over what kubectl or an earlier tree left."""
    with one_at_a_time():
        helm(
            "upgrade", "--install", "dormouse-crds", str(CHARTS / "dormouse-crds"), "--namespace=default",
            "--take-ownership", "--force-conflicts", "--wait",
        )  # fmt: skip


def install(release: str, namespace: str, *values: str, chart: Path = CHARTS / "dormouse") -> None:
    """`helm upgrade --install` of the operator, and wait until it is there."""
    settings = [f"--set={value}" for value in (*image_values(), STORE_PORT, *values)]
    helm(
        "upgrade", "--install", release, str(chart), f"--namespace={namespace}", "--create-namespace",
        "--wait", "--timeout=120s", *settings,
    )  # fmt: skip


def refuse(release: str, namespace: str, *values: str, chart: Path = CHARTS / "dormouse") -> str:
    """Why Helm does not install this."""
    settings = [f"--set={value}" for value in (*image_values(), *values)]
    refused = try_helm("install", release, str(chart), f"--namespace={namespace}", *settings)
    assert refused.returncode != 0, "it was installed"
    return refused.stderr


@dataclass(frozen=True)
class InstalledOperator:
    """A release of the chart, and the namespace that it lives in."""

    cluster: Cluster
    namespace: str

    def pods(self) -> list[dict[str, Any]]:
        """Its replicas."""
        found = self.cluster.get(
            "--namespace", self.namespace, "pods", "--selector=app.kubernetes.io/component=operator"
        )
        items: list[dict[str, Any]] = found["items"]
        return items

    def containers(self) -> set[str]:
        """Those of its replicas that run: others when one was restarted, or replaced."""
        statuses = (status for pod in self.pods() for status in pod["status"].get("containerStatuses", ()))
        return {str(status["containerID"]) for status in statuses if "running" in status["state"]}

    def restarts(self) -> list[str]:
        """How containers of its pods ended that were started again, with their last words.

        Pods that Kubernetes has replaced meanwhile, as it does when a node is silent for long, tell of none.
        """
        told = []
        for pod in self.pods():
            for status in pod["status"].get("containerStatuses", ()):
                if ended := status["lastState"].get("terminated"):
                    name = pod["metadata"]["name"]
                    last = self.cluster.try_kubectl(
                        "--namespace", self.namespace, "logs", name, "--previous", "--tail=30"
                    )
                    told.append(f"{name}: {ended}\n{last.stdout}{last.stderr}")
        return told

    def leader(self) -> dict[str, Any]:
        """The pod of the replica that acts."""

        def find() -> list[dict[str, Any]]:
            leases = self.cluster.get("--namespace", self.namespace, "leases")["items"]
            holders = {lease["spec"].get("holderIdentity", "").rpartition("_")[0] for lease in leases}
            return [pod for pod in self.pods() if pod["metadata"]["name"] in holders]

        return eventually("one of the replicas leads", find, seconds=60)[0]

    def move_leader(self, node: str, away: bool = False) -> None:
        """See to it that the replica that acts runs on this node, or away from it."""
        for _ in range(8):
            leader = self.leader()
            if (leader["spec"]["nodeName"] == node) is not away:
                return
            self.cluster.kubectl("--namespace", self.namespace, "delete", "pod", leader["metadata"]["name"])
            self.wait_for_another_leader(leader["metadata"]["name"])
            self.wait_until_available()
        raise AssertionError(f"the leader does not {'leave' if away else 'reach'} {node}")

    def wait_for_another_leader(self, than: str) -> None:
        """Another pod than this one acts."""
        eventually("another replica leads", lambda: self.leader()["metadata"]["name"] != than, seconds=60)

    def wait_until_available(self) -> None:
        """Both replicas are Ready."""
        self.cluster.kubectl(
            "--namespace", self.namespace, "wait", "--for=condition=Available", "deployment",
            "--selector=app.kubernetes.io/component=operator", "--timeout=120s", seconds=130,
        )  # fmt: skip

    def wait_until_alone(self, replicas: int) -> None:
        """Those that were replaced are gone."""
        eventually("only the newest replicas are left", lambda: len(self.pods()) == replicas, seconds=90)

    def logs(self) -> str:
        """What its replicas told lately."""
        return self.cluster.kubectl(
            "--namespace", self.namespace, "logs", "--selector=app.kubernetes.io/component=operator", "--tail=400"
        )


@contextmanager
def installed(cluster: Cluster, served: str, *values: str) -> Iterator[InstalledOperator]:
    """Both charts installed, the operator's for one namespace and uninstalled at the end."""
    install_definitions()
    namespace = f"{served}-operator"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    install(RELEASE, namespace, f"namespaces={{{served}}}", *values)
    try:
        yield InstalledOperator(cluster, namespace)
    finally:
        # As a person should: without an operator nobody lets go of the data, and the workflows would stay.
        cluster.kubectl("--namespace", served, "delete", "durableworkflows", "--all", "--timeout=150s", seconds=160)
        helm("uninstall", RELEASE, f"--namespace={namespace}", "--wait")
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
