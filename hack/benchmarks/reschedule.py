"""How long is a workflow away when its pod is deleted? On the real cluster, over the least that any such pod could do.

`reschedule_ratio`: from the deletion of the pod to the first resumed step, for a database of 1 MB; over a floor: a pod
of the same image with the same two containers and emptyDir, whose sidecar only downloads as many bytes, whose main
container imports the same module and waits for them, and that both end at once when told to. It is deleted and
created again by this program, without an operator. `reschedule_50_ratio`: the same for 50 MB. The two take turns, so
that a slow moment of the machine hits both.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import Any

import obstore
from frame import Baseline, Figure, Measured, median, run
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config
from on_cluster import Bench, bench, first_step_ns, settle

from dormouse.replica.layout import first_transaction
from dormouse_operator.controller.api_server import ApiServer, NotFound
from dormouse_operator.controller.resources import PODS
from dormouse_operator.plan.naming import SOURCE_DIRECTORY
from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import eventually

# Both end at TERM, as a first process only does when it is told to.
SIDECAR = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
import obstore
from chain import store
data = obstore.get(store(), os.environ["FLOOR_KEY"]).bytes()
with open("/var/lib/dormouse/new", "wb") as file:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
os.rename("/var/lib/dormouse/new", "/var/lib/dormouse/db")
while True:
    signal.pause()
"""
MAIN = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
import obstore
from chain import store
while not os.path.exists("/var/lib/dormouse/db"):
    time.sleep(0.005)
obstore.put(store(), os.environ["FLOOR_MARK"] + "/" + str(time.time_ns()), b"")
while True:
    signal.pause()
"""


@dataclass
class Floor:
    """The pod that does the least."""

    place: Bench
    one: ChainWorkflow
    size: int
    number: int = 0

    def manifest(self) -> dict[str, Any]:
        """Our pod with other commands, and without probes that decide nothing."""
        spec = self.one.pod()["spec"]
        for field in ("nodeName", "tolerations", "priority", "preemptionPolicy", "schedulerName", "serviceAccount"):
            spec.pop(field, None)
        runtime = spec["containers"][0]
        settings = [
            *(each for each in runtime["env"] if each["name"].startswith("STORE_")),
            {"name": "FLOOR_KEY", "value": self.key},
            {"name": "FLOOR_MARK", "value": self.mark},
            {"name": "PYTHONPATH", "value": SOURCE_DIRECTORY},
        ]
        mounts = [each for each in runtime["volumeMounts"] if each["name"] in {"data", "tmp", "source"}]
        spec["volumes"] = [each for each in spec["volumes"] if each["name"] in {"data", "tmp", "source"}]
        for container, program in ((spec["initContainers"][0], SIDECAR), (runtime, MAIN)):
            container["command"] = ["python", "-c", program]
            container["env"] = settings
            container["volumeMounts"] = mounts
            container.pop("readinessProbe", None)
        metadata = {"name": self.name, "namespace": self.place.namespace}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    @property
    def name(self) -> str:
        return f"floor-{self.number}"

    @property
    def mark(self) -> str:
        return f"{self.one.prefix}/floor/{self.size}/{self.number}"

    @property
    def key(self) -> str:
        return f"{self.one.prefix}/floor/{self.size}/data"

    def prepare(self, bytes_to_load: int) -> None:
        """Put as many bytes into the store as a restore reads, and start the first pod."""
        obstore.put(self.place.cluster.bucket(), self.key, b"\0" * bytes_to_load)
        self.place.cluster.apply(self.manifest())
        self._wait_for_mark()

    def seconds(self) -> float:
        """From the deletion of the pod to the mark of its successor."""
        old = self.name
        self.number += 1
        started_ns = asyncio.run(self._replace(old, self.manifest()))
        return (self._wait_for_mark() - started_ns) / 1e9

    async def _replace(self, old: str, manifest: dict[str, Any]) -> int:
        configuration = Configuration()
        await load_kube_config(self.place.cluster.kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call] # not annotated there
        async with ApiServer(configuration) as api:
            uid = (await api.get(PODS, self.place.namespace, old))["metadata"]["uid"]
            started_ns = time.time_ns()
            await api.delete(PODS, self.place.namespace, old, uid)
            while await self._exists(api, old):  # noqa: ASYNC110 - the API server is another process
                await asyncio.sleep(0.02)
            await api.create(PODS, manifest)
            return started_ns

    async def _exists(self, api: ApiServer, name: str) -> bool:
        try:
            await api.get(PODS, self.place.namespace, name)
        except NotFound:
            return False
        return True

    def _wait_for_mark(self) -> int:
        bucket = self.place.cluster.bucket()

        def marks() -> list[int]:
            pages = obstore.list(bucket, self.mark)
            return [int(item["path"].rpartition("/")[2]) for page in pages for item in page]

        return eventually("the floor's pod has its bytes", marks, seconds=60)[0]


def reschedule_seconds(one: ChainWorkflow, epoch: int) -> float:
    """Delete the pod of this life; until the first step of the next one."""
    pod = one.pod()["metadata"]
    settle(one, epoch)
    started_ns = time.time_ns()
    one.cluster.kubectl("--namespace", one.namespace, "delete", "pod", pod["name"], "--wait=false")
    return (first_step_ns(one, epoch + 1) - started_ns) / 1e9


def snapshot_bytes(one: ChainWorkflow) -> int:
    """What the present life has uploaded first; 0 before it has."""
    try:
        size: int = obstore.head(one.cluster.bucket(), first_transaction(one.stored.current().entry.prefix))["size"]
    except FileNotFoundError:
        return 0
    return size


def taken(ballast_bytes: int, rounds: int) -> tuple[float, float]:
    """The medians of ours and of the floor, taken in turns."""
    ours, floors = [], []
    with bench() as place, place.working(ballast_bytes) as one:
        one.wait_for_epoch(1)
        reschedule_seconds(one, 1)  # the first life starts from nothing: the ones after it restore
        floor = Floor(place, one, ballast_bytes)
        floor.prepare(eventually("the new life's snapshot is in the store", lambda: snapshot_bytes(one), seconds=60))
        for epoch in range(2, 2 + rounds):
            ours.append(reschedule_seconds(one, epoch))
            floors.append(floor.seconds())
    return median(ours), median(floors)


def ratio(ballast_bytes: int, rounds: int) -> Measured:
    ours, floor = taken(ballast_bytes, rounds)
    return Measured((ours / floor,), Baseline("a pod that only downloads, seconds", floor))


def reschedule(quick: bool) -> Measured:
    return ratio(1_000_000, 3 if quick else 9)


def reschedule_50(quick: bool) -> Measured:
    return ratio(50_000_000, 2 if quick else 5)


_WHAT = "a restart on another node, over a pod that only downloads as much, with a database of "
FIGURES = [
    Figure("reschedule_ratio", _WHAT + "1 MB", 1.5, "lower", reschedule, quick_seconds=40),
    Figure("reschedule_50_ratio", _WHAT + "50 MB", 1.5, "lower", reschedule_50, quick_seconds=50),
]

if __name__ == "__main__":
    sys.exit(run("reschedule", FIGURES, sys.argv[1:]))
