"""What did the cluster look like when a test failed? Read by whoever cannot run it again there."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from e2e.running_cluster import Cluster

_LINES = 60
"""Of each log: what the operators say in a minute or two."""
_ASKED_FOR = ("get", "durableworkflows,objectstores,pods,jobs,leases", "--output=wide")
_COLUMNS = "AT:.lastTimestamp,ABOUT:.involvedObject.name,REASON:.reason,MESSAGE:.message"
_EVENTS = ("get", "events", "--sort-by=.lastTimestamp", f"--output=custom-columns={_COLUMNS}")


def last_words(cluster: Cluster, namespace: str) -> str:
    """The namespace's objects, its workflows' status, its events, and the last lines of each container's log."""
    workflows = _items(cluster, namespace, "durableworkflows")
    pods = [each["metadata"]["name"] for each in _items(cluster, namespace, "pods")]
    logs = ("--all-containers", "--prefix", f"--tail={_LINES}")
    return "\n".join([
        _said(cluster, namespace, *_ASKED_FOR),
        _said(cluster, namespace, *_EVENTS),
        *(f"{each['metadata']['name']}: {json.dumps(each.get('status'), indent=1)}" for each in workflows),
        *(_said(cluster, namespace, "logs", name, *logs) for name in pods),
    ])  # fmt: skip


def _items(cluster: Cluster, namespace: str, kind: str) -> list[dict[str, Any]]:
    try:
        found = cluster.try_kubectl("--namespace", namespace, "get", kind, "--output=json", seconds=20)
    except (subprocess.TimeoutExpired, UnicodeDecodeError):
        return []
    items: list[dict[str, Any]] = json.loads(found.stdout)["items"] if found.returncode == 0 else []
    return items


def _said(cluster: Cluster, namespace: str, *arguments: str) -> str:
    try:
        done = cluster.try_kubectl("--namespace", namespace, *arguments, seconds=20)
    except (subprocess.TimeoutExpired, UnicodeDecodeError) as untold:
        return f"kubectl {' '.join(arguments)}: {untold}"
    return f"$ kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
