"""How much memory does a pod take on the real cluster, as the kubelet counts it, beside what its containers ask for?

`pod_idle_*`: with no execution. `pod_sleeping_10k_*`: begun with a file in which 10,000 executions sleep. Each is the
working set of a container a minute after the pod was Ready, as the kubelet tells it at /metrics/resource; the baseline
is what the container asks for. With --json there is also what the kernel counts for its control group, file cache
included.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import obstore
from engine_memory import MODULE, SLEEPING, write_sleeping
from frame import Baseline, Figure, Measured, run
from on_cluster import Bench, bench
from prometheus_client.parser import text_string_to_metric_families as read_text

from dormouse.replica.layout import Layout
from e2e.chain_workflow import store_documents
from e2e.running_cluster import eventually

_MIB = 2**20
_SETTLED_SECONDS = 60.0
"""The kubelet counts every 10 to 15 s."""


@dataclass(frozen=True)
class Container:
    """What one container takes, in MiB."""

    asks_for: float
    working_set: float
    control_group: float


@cache
def pods() -> Mapping[int, Mapping[str, Container]]:
    """The containers of a pod in which so many executions sleep, by name."""
    with bench() as place:
        return {sleeping: _measured(place, sleeping) for sleeping in (0, SLEEPING)}


def _measured(place: Bench, sleeping: int) -> Mapping[str, Container]:
    name, mine = f"sleeping-{secrets.token_hex(3)}", ("--namespace", place.namespace)
    restore = _uploaded(place, name, sleeping) if sleeping else {}
    spec = {
        "entrypoint": "sleepers",
        "source": {"inline": MODULE},
        "storage": {"storeRef": {"name": "kept"}},
        **restore,
    }
    place.cluster.apply(
        *store_documents(place.cluster, place.namespace, place.namespace),
        {
            "apiVersion": "dormouse.dev/v1alpha1",
            "kind": "DurableWorkflow",
            "metadata": {"name": name, "namespace": place.namespace},
            "spec": spec,
        },
    )
    place.cluster.kubectl(*mine, "wait", f"dwf/{name}", "--for=condition=Ready", "--timeout=120s", seconds=130)

    def told() -> bool:
        status = place.cluster.get(*mine, "durableworkflow", name)["status"]
        return bool(status.get("executions", {}).get("sleeping", 0) == sleeping)

    eventually(f"{sleeping} executions sleep", told, seconds=60)
    time.sleep(_SETTLED_SECONDS)
    pod = place.cluster.get(*mine, "pod", f"{name}-e1")
    node, working_sets = pod["spec"]["nodeName"], _working_sets(place, pod)
    ids = {
        each["name"]: each["containerID"].removeprefix("containerd://")
        for each in (*pod["status"]["initContainerStatuses"], *pod["status"]["containerStatuses"])
    }
    asked = {each["name"]: each["resources"] for each in (*pod["spec"]["initContainers"], *pod["spec"]["containers"])}
    return {
        container: Container(
            _mebibytes(asked[container]["requests"]["memory"]),
            working_sets[container] / _MIB,
            _control_group_bytes(place, node, identifier) / _MIB,
        )
        for container, identifier in ids.items()
    }


def _uploaded(place: Bench, name: str, sleeping: int) -> dict[str, Any]:
    """A file in which so many executions sleep, as a spec begins with it."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as folder:
        database = Path(folder) / "sleeping.sqlite"
        asyncio.run(write_sleeping(database, sleeping))
        content = database.read_bytes()
    key = Layout.of(place.namespace, place.namespace, name).imported(database.name)
    obstore.put(place.cluster.bucket(), key, content)
    digest = hashlib.sha256(content).hexdigest()
    return {"restore": {"fromObject": {"key": database.name, "sha256": digest}, "executions": "Running"}}


def _working_sets(place: Bench, pod: Mapping[str, Any]) -> dict[str, float]:
    node, metadata = pod["spec"]["nodeName"], pod["metadata"]
    text = place.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics/resource")
    own = {"namespace": metadata["namespace"], "pod": metadata["name"]}.items()
    return {
        sample.labels["container"]: sample.value
        for family in read_text(text)
        for sample in family.samples
        if sample.name == "container_memory_working_set_bytes" and own <= sample.labels.items()
    }


def _control_group_bytes(place: Bench, node: str, container: str) -> int:
    """memory.current, or what the first version of control groups calls it."""
    files = ("(", "-name", "memory.current", "-o", "-name", "memory.usage_in_bytes", ")")
    told = place.cluster.run(
        node, "find", "/sys/fs/cgroup/", "-path", f"*{container}/*", *files, "-exec", "cat", "{}", ";"
    )
    return int(told.split()[0])


def _mebibytes(quantity: str) -> float:
    return float(quantity.removesuffix("Mi"))


def working_set(sleeping: int, container: str, _: bool) -> Measured:
    """Of one container, beside what it asks for."""
    found = pods()[sleeping][container]
    return Measured((found.working_set,), Baseline("it asks for, MiB", found.asks_for))


def _all_of_them(_: bool) -> Mapping[str, Any]:
    return {
        "pods": {
            str(sleeping): {name: asdict(one) for name, one in containers.items()}
            for sleeping, containers in pods().items()
        }
    }


FIGURES = [
    Figure(
        f"pod_{name}_{container}_mib",
        f"working set of the container `{container}`, {what}",
        goal,
        "lower",
        partial(working_set, sleeping, container),
        unit="MiB",
        quick_seconds=200,
    )
    for name, sleeping, what in (("idle", 0, "idle"), ("sleeping_10k", SLEEPING, "10,000 executions asleep"))
    for container, goal in (("litestream", 96), ("runtime", 64))
]

if __name__ == "__main__":
    sys.exit(run("pod", FIGURES, sys.argv[1:], more=_all_of_them))
