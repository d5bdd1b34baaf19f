"""Where does a fleet of thousands live? An API server, a scheduler, nodes by kwok, and a real S3 server."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from frame import Unavailable
from testcluster.commands import ClusterError
from testcluster.local_control_plane import LocalControlPlane, local_control_plane
from testcluster.progress import Progress, wait_until

from dormouse_operator.dev.seaweedfs import SeaweedFS, StoreError

REPOSITORY = Path(__file__).resolve().parents[2]
OPERATOR = "dormouse-operator"
"""Who the operator is to the API server, and so the bare loop: what they write is counted there."""
CLIENT = "bench"
STORE_NAME = "local"
PODS_ON_A_NODE = 110
Document = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """What a fleet is put on."""

    plane: LocalControlPlane
    store: SeaweedFS
    folder: Path


@contextmanager
def ground(tenants: tuple[str, ...], pods: int) -> Iterator[Ground]:
    """With a namespace for each tenant, each with an ObjectStore of its own, and nodes for so many pods.

    Raises Unavailable.
    """
    stages = Path(__file__).with_name("fleet_stages.yaml")
    with tempfile.TemporaryDirectory(prefix="dormouse-fleet-") as name:
        folder = Path(name)
        store = SeaweedFS(folder / "store")
        try:
            with local_control_plane(folder, stages, (OPERATOR, CLIENT), OPERATOR, Progress()) as plane:
                store.start()
                made = Ground(plane, store, folder)
                _furnish(made, tenants, pods // PODS_ON_A_NODE + 1)
                yield made
        except (ClusterError, StoreError) as failed:
            raise Unavailable(str(failed)) from failed
        finally:
            store.stop()


def _furnish(ground: Ground, tenants: tuple[str, ...], nodes: int) -> None:
    crds = [yaml.safe_load(path.read_text()) for path in sorted((REPOSITORY / "crds").glob("*.yaml"))]
    _apply(ground, crds)
    names = [crd["metadata"]["name"] for crd in crds]
    ground.plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{name}" for name in names))
    _apply(ground, [_node(f"node-{number:03}") for number in range(nodes)])
    _apply(ground, [_object("v1", "Namespace", tenant) for tenant in tenants])
    _apply(ground, [each for tenant in tenants for each in _store(ground, tenant)])
    wait_until(
        "the nodes are Ready",
        lambda: (found := ground.plane.kubectl.nodes()) != {} and all(found.values()),
        seconds=120,
        remedy=f"kwok's log is in {ground.folder}",
    )


def _apply(ground: Ground, documents: list[Document]) -> None:
    file = ground.folder / "applied.json"
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": documents}))
    ground.plane.kubectl("create", "--filename", str(file), "--validate=false", seconds=120)


def _node(name: str) -> Document:
    room = {"cpu": "64", "memory": "512Gi", "pods": str(PODS_ON_A_NODE)}
    return {**_object("v1", "Node", name), "status": {"capacity": room, "allocatable": room}}


def _store(ground: Ground, tenant: str) -> list[Document]:
    keys = {"accessKeyId": ground.store.access_key, "secretAccessKey": ground.store.secret_key}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in keys.items()}
    spec = {
        "endpoint": ground.store.endpoint,
        "bucket": ground.store.bucket,
        "pathStyle": True,
        "credentials": {"secretRef": {"name": STORE_NAME}},
    }
    return [
        {**_object("v1", "Secret", STORE_NAME, tenant), "data": data},
        {**_object("dormouse.dev/v1alpha1", "ObjectStore", STORE_NAME, tenant), "spec": spec},
    ]


def _object(version: str, kind: str, name: str, namespace: str | None = None) -> Document:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
