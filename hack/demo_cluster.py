"""Does a workflow survive the loss of its node? Shown on a real cluster with examples/data_pipeline.

Run it with `hack/demo --cluster`.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml
from demo_story import ALL_STEPS, EXAMPLE, HALF, Clock, PipelineStore, StoryError, check_outcome, told
from obstore.store import S3Store
from testcluster.commands import ClusterError, run

ROOT = EXAMPLE.parents[1]
CLUSTER = str(ROOT / "hack" / "cluster")
NAME = "data-pipeline"
STORY_WITHIN_SECONDS = 1800.0
UP_WITHIN_SECONDS = 1500.0
IMAGES_WITHIN_SECONDS = 1200.0
DEFINITIONS = ("durableworkflows.dormouse.dev", "objectstores.dormouse.dev")


@dataclass(frozen=True)
class TestCluster:
    """The cluster of `hack/cluster`, by its own kubectl and helm."""

    store: dict[str, str]

    @classmethod
    def up(cls, clock: Clock, undo: ExitStack) -> TestCluster:
        """As it was found, so it is left."""
        asked = subprocess.run([CLUSTER, "status", "--json"], capture_output=True, text=True, check=False)
        status = json.loads(asked.stdout)
        if status["healthy"]:
            clock.say("the test cluster is up")
            return cls(status["store"])
        if any(status["components"].values()):
            clock.say("mend the test cluster: hack/cluster up")
        else:
            clock.say("start the test cluster: hack/cluster up; it is taken down in the end")
            undo.callback(subprocess.run, [CLUSTER, "down"], check=True)
        subprocess.run([CLUSTER, "up"], stdout=subprocess.DEVNULL, check=True, timeout=UP_WITHIN_SECONDS)
        return cls(json.loads(run([CLUSTER, "status", "--json"]))["store"])

    def kubectl(self, *arguments: str, documents: list[dict[str, Any]] | None = None, seconds: float = 60.0) -> str:
        text = None if documents is None else yaml.safe_dump_all(documents)
        return run([CLUSTER, "kubectl", *arguments], text=text, seconds=seconds)

    def helm(self, *arguments: str, seconds: float = 180.0) -> str:
        return run([CLUSTER, "helm", *arguments], seconds=seconds)

    def has_definitions(self) -> bool:
        found = self.kubectl("get", "customresourcedefinitions", "--output=name")
        return all(f"/{each}" in found for each in DEFINITIONS)

    def bucket(self, prefix: str) -> S3Store:
        """What the demo's workflow writes, and nothing else that lies there."""
        return S3Store(
            self.store["bucket"],
            prefix=prefix,
            endpoint=self.store["endpoint"],
            region=self.store["region"],
            access_key_id=self.store["access_key_id"],
            secret_access_key=self.store["secret_access_key"],
            virtual_hosted_style_request=False,
            client_options={"allow_http": True, "timeout": "10s"},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=10)},
        )


class Demo:
    """The story's scenes, in the order in which `run` plays them. What a scene makes, `undo` takes away."""

    def __init__(self, cluster: TestCluster, clock: Clock, undo: ExitStack) -> None:
        self.cluster = cluster
        self.clock = clock
        self.undo = undo
        self.namespace = f"demo-{secrets.token_hex(3)}"
        self.operators = f"{self.namespace}-operator"
        client = cluster.bucket(self.namespace)
        self.store = PipelineStore(lambda: client, f"{self.namespace}/{NAME}/CURRENT")
        self.manifest = yaml.safe_load((EXAMPLE / "dormouse.yaml").read_text())
        self.planned_failures = int(self.manifest["spec"]["start"]["input"]["planned_failures"])

    def run(self) -> list[str]:
        """Return what is wrong with the story's end."""
        images = self.build_images()
        self.install(images)
        self.apply(images["data_pipeline"])
        with self.watched():
            self.watch_until_half_way()
            node = self.status()["node"]
            with self.cut(node):
                self.watch_it_go_on_elsewhere(node)
            self.watch_until_completed(node)
        return [*check_outcome(self.store, self.planned_failures, self.clock), *self.check_status()]

    def build_images(self) -> dict[str, str]:
        names = ("worker", "operator", "data_pipeline")
        self.clock.say("images: the operator, the worker, and the example's own on top of the worker")
        command = [str(ROOT / "hack" / "images"), *names, "--load"]
        built = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, timeout=IMAGES_WITHIN_SECONDS
        ).stdout
        return dict(zip(names, (line.split()[0] for line in built.splitlines()), strict=True))

    def install(self, images: dict[str, str]) -> None:
        if not self.cluster.has_definitions():
            self.undo.callback(self.cluster.kubectl, "delete", "customresourcedefinitions", *DEFINITIONS)
            self.undo.callback(self.cluster.helm, "uninstall", "dormouse-crds", "--namespace=default")
        take_over = ("--take-ownership", "--force-conflicts")
        self.cluster.helm(
            "upgrade",
            "--install",
            "dormouse-crds",
            str(ROOT / "charts/dormouse-crds"),
            "--namespace=default",
            *take_over,
        )
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        for name in (self.namespace, self.operators):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            self.undo.callback(self.cluster.kubectl, "delete", "namespace", name, "--ignore-not-found", seconds=150)
            self.cluster.kubectl("apply", "--filename=-", documents=[namespace])
        operator, worker = (images[each].rpartition(":") for each in ("operator", "worker"))
        values = (
            f"namespaces={{{self.namespace}}}",
            f"image.repository={operator[0]}",
            f"image.tag={operator[2]}",
            f"workerImage.repository={worker[0]}",
            f"workerImage.tag={worker[2]}",
            "networkPolicy.storePorts={8333}",
        )
        self.undo.callback(
            self.cluster.helm, "uninstall", "dormouse", f"--namespace={self.operators}", "--wait", "--ignore-not-found"
        )
        self.cluster.helm(
            "install", "dormouse", str(ROOT / "charts/dormouse"), f"--namespace={self.operators}", "--wait",
            "--timeout=120s", *(f"--set={value}" for value in values),
        )  # fmt: skip
        self.clock.say(f"helm install dormouse: two replicas in {self.operators}, which serve {self.namespace}")

    def apply(self, image: str) -> None:
        """The example's manifest with its image, and the Secret and the ObjectStore that it names."""
        store = self.cluster.store
        metadata = {"name": "local", "namespace": self.namespace}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "stringData": {
                "endpoint": store["endpoint"],
                "region": store["region"],
                "bucket": store["bucket"],
                "prefix": self.namespace,
                "accessKeyId": store["access_key_id"],
                "secretAccessKey": store["secret_access_key"],
            },
        }
        object_store = {
            "apiVersion": "dormouse.dev/v1alpha1",
            "kind": "ObjectStore",
            "metadata": metadata,
            "spec": {
                "endpoint": store["endpoint"],
                "region": store["region"],
                "bucket": store["bucket"],
                "prefix": self.namespace,
                "pathStyle": True,
                "credentials": {"secretRef": {"name": "local"}},
            },
        }
        self.manifest["metadata"]["namespace"] = self.namespace
        self.manifest["spec"]["image"] = image
        self.undo.callback(self.empty_bucket)
        self.undo.callback(
            self.cluster.kubectl,
            *("--namespace", self.namespace, "delete", "durableworkflows", "--all", "--timeout=150s"),
            seconds=160,
        )
        self.cluster.kubectl("apply", "--filename=-", documents=[secret, object_store, self.manifest])
        self.clock.say("kubectl apply -f examples/data_pipeline/dormouse.yaml, with that image")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What `kubectl get dwf -o wide --watch` prints, as it prints it."""
        command = [CLUSTER, "kubectl", "--namespace", self.namespace, "get", "dwf", NAME, "--output=wide", "--watch"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            printing = threading.Thread(target=self.print_lines, args=(watching,))
            printing.start()
            try:
                yield
            finally:
                watching.terminate()
                printing.join()

    def print_lines(self, watching: subprocess.Popen[str]) -> None:
        assert watching.stdout is not None
        before = ""
        for line in watching.stdout:
            if line != before:
                self.clock.say(f"| {line.rstrip()}")
            before = line

    def watch_until_half_way(self) -> None:
        self.clock.wait_for("the first step", self.store.attempts)
        self.clock.say("the first steps have begun")
        self.clock.wait_for("half of the steps", self.store.is_half_way)
        self.clock.say(f"half way: {HALF} of {ALL_STEPS} steps have begun")

    @contextmanager
    def cut(self, node: str) -> Iterator[None]:
        """The node reaches nothing and nobody, until the end of the block."""
        here = (
            "the active operator runs there too" if self.leader_node() == node else "the active operator is elsewhere"
        )
        heal = [CLUSTER, "heal", node]
        self.undo.callback(run, heal)  # also when a second Ctrl-C comes while the block ends
        try:
            run([CLUSTER, "partition", node, "all"])
            self.clock.say(f"cut {node} off from everything, with the pod on it; {here}")
            yield
        finally:
            run(heal)
        self.clock.say(f"healed {node}")

    def leader_node(self) -> str:
        get = ("--namespace", self.operators, "get")
        leases = json.loads(self.cluster.kubectl(*get, "leases", "--output=json"))["items"]
        holders = {lease["spec"].get("holderIdentity", "").rpartition("_")[0] for lease in leases}
        pods = json.loads(self.cluster.kubectl(*get, "pods", "--output=json"))["items"]
        return next((pod["spec"]["nodeName"] for pod in pods if pod["metadata"]["name"] in holders), "")

    def watch_it_go_on_elsewhere(self, node: str) -> None:
        began = self.clock.seconds
        begun = self.clock.wait_for("the second life's first step", self.store.second_life)
        waited = self.clock.seconds - began
        self.clock.say(self.store.restored())
        self.clock.say(
            f"it goes on with {begun[0].step} at {self.status()['node']}, {waited:.1f} s after {node} was cut"
        )

    def watch_until_completed(self, node: str) -> None:
        self.clock.wait_for("the seal", self.store.completed)
        self.clock.say("the workflow is done; the store's CURRENT says Sealed, Completed")
        wait = ("--namespace", self.namespace, "wait", "--timeout=120s")
        self.cluster.kubectl(*wait, f"dwf/{NAME}", "--for=condition=Completed", seconds=130)
        self.cluster.kubectl("wait", f"node/{node}", "--for=condition=Ready", "--timeout=120s", seconds=130)
        self.cluster.kubectl(*wait, f"pod/{NAME}-e1", "--for=delete", seconds=130)
        self.clock.say(f"{node} is back, and the pod of the first life is gone")

    def check_status(self) -> list[str]:
        status = self.status()
        failure = status.get("lastFailure", {}).get("reason")
        found = []
        if (status["epoch"], failure) != (2, "NodeLost"):
            found.append(f"epoch {status['epoch']} follows {failure} instead of epoch 2, NodeLost")
        if not status.get("restoredFrom", "").startswith("1/"):
            found.append(f"it was restored from {status.get('restoredFrom')} instead of epoch 1")
        return found

    def status(self) -> dict[str, Any]:
        found = self.cluster.kubectl("--namespace", self.namespace, "get", "dwf", NAME, "--output=json")
        status: dict[str, Any] = json.loads(found)["status"]
        return status

    def empty_bucket(self) -> None:
        client = self.cluster.bucket(self.namespace)
        for page in client.list():
            client.delete([entry["path"] for entry in page])


def main() -> int:
    parser = argparse.ArgumentParser(prog="hack/demo --cluster", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything as it is in the end")
    keep = parser.parse_args().keep
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_early)
    clock, undo, wrong = Clock(STORY_WITHIN_SECONDS), ExitStack(), []
    try:
        wrong += Demo(TestCluster.up(clock, undo), clock, undo).run()
    except (StoryError, ClusterError, subprocess.SubprocessError) as failed:
        wrong.append(str(failed))
    finally:
        # Programs that are started from here on ignore Ctrl-C as well.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if keep:
            undo.pop_all()
            clock.say("kept everything; the namespaces are those that begin with demo-")
        else:
            wrong += take_away(undo, clock)
    return told(wrong)


def take_away(undo: ExitStack, clock: Clock) -> list[str]:
    """What is wrong with that. A step that fails does not keep the others from being done."""
    clock.say("take away what was made")
    try:
        undo.close()
    except (ClusterError, subprocess.SubprocessError) as failed:
        return [f"not everything could be taken away: {failed}"]
    return []


def end_early(number: int, _: object) -> None:
    """Leave through the `finally` that takes everything away."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
