"""How does a test run a workflow on the cluster whose every step can be told from outside, by the store alone?"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import obstore
from history import Attempt, Loss, losses

from dormouse.replica.layout import Layout
from dormouse.replica.s3 import Location
from e2e.running_cluster import Cluster, eventually
from stored_database import StoredDatabase

_MODULE = Path(__file__).parents[1] / "chaos" / "chain.py"
_STORE = "kept"


def store_documents(
    cluster: Cluster, namespace: str, prefix: str, sts: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """A Secret and an ObjectStore named `kept`; with `sts`, pods have credentials of their own."""
    secret = {"name": _STORE, "accessKeyIdKey": "id", "secretAccessKeyKey": "key"}
    metadata = {"name": _STORE, "namespace": namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "stringData": {"id": cluster.store["access_key_id"], "key": cluster.store["secret_access_key"]},
        },
        {
            "apiVersion": "dormouse.dev/v1alpha1",
            "kind": "ObjectStore",
            "metadata": metadata,
            "spec": {
                "endpoint": cluster.store["endpoint"],
                "region": cluster.store["region"],
                "bucket": cluster.store["bucket"],
                "prefix": prefix,
                "pathStyle": True,
                "credentials": {"secretRef": secret, **({"sts": sts} if sts else {})},
            },
        },
    ]


@dataclass
class ChainWorkflow:
    """A DurableWorkflow of the chaos tests' chain: its steps, its attempts in the store, its status."""

    cluster: Cluster
    namespace: str
    steps: int = 60
    step_seconds: float = 0.2
    ballast_bytes: int = 0
    hungry_at: int = -1
    durability: str = "Sync"
    max_lag_seconds: int = 30
    name: str = field(default_factory=lambda: f"chain-{secrets.token_hex(3)}")
    spec: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    pod_spec: Mapping[str, Any] = field(default_factory=dict)
    sts: Mapping[str, Any] | None = None

    def manifest(self) -> dict[str, Any]:
        """What a person would apply.

        `spec` adds to its spec, `pod_spec` to that of the template, `runtime` to the container `runtime`.
        """
        order = {
            "steps": self.steps,
            "step_seconds": self.step_seconds,
            "prefix": self.attempts_prefix,
            "ballast_bytes": self.ballast_bytes,
            "hungry_at": self.hungry_at,
        }
        environment: list[dict[str, Any]] = [
            {"name": "STORE_ENDPOINT", "value": self.cluster.store["endpoint"]},
            {"name": "STORE_BUCKET", "value": self.cluster.store["bucket"]},
            *(
                {"name": f"STORE_{name}", "valueFrom": {"secretKeyRef": {"name": _STORE, "key": key}}}
                for name, key in (("ACCESS_KEY_ID", "id"), ("SECRET_ACCESS_KEY", "key"))
            ),
        ]
        runtime = {"name": "runtime", "env": environment, **self.runtime}
        storage = {
            "storeRef": {"name": _STORE},
            "durability": self.durability,
            "maxLagSeconds": self.max_lag_seconds,
            **self.spec.get("storage", {}),
        }
        return {
            "apiVersion": "dormouse.dev/v1alpha1",
            "kind": "DurableWorkflow",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {
                "entrypoint": "chain",
                "source": {"inline": _MODULE.read_text()},
                "start": {"workflow": "chain", "input": order},
                "template": {"spec": {**self.pod_spec, "containers": [runtime]}},
                **self.spec,
                "storage": storage,
            },
        }

    def apply(self) -> ChainWorkflow:
        """Apply it, with its store."""
        self.cluster.apply(*store_documents(self.cluster, self.namespace, self.prefix, self.sts), self.manifest())
        return self

    def patch(self, **spec: Any) -> None:
        """Change its spec, as `kubectl patch` does."""
        self.cluster.kubectl(*self._me("patch"), "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    def delete(self, *options: str, seconds: float = 90.0) -> None:
        """Delete it, and wait until it is gone unless the options say otherwise."""
        self.cluster.kubectl(*self._me("delete"), *options, seconds=seconds)

    def status(self) -> dict[str, Any]:
        """Its status as the API server has it now; empty before there is one."""
        found = self.cluster.try_kubectl(*self._me("get"), "--output=json")
        status: dict[str, Any] = json.loads(found.stdout).get("status", {}) if found.returncode == 0 else {}
        return status

    def condition(self, kind: str) -> dict[str, Any]:
        """One of its conditions; empty before there is one."""
        found = [each for each in self.status().get("conditions", ()) if each["type"] == kind]
        return found[0] if found else {}

    def pods(self) -> list[dict[str, Any]]:
        """Its pods, oldest epoch first."""
        selector = f"--selector=dormouse.dev/name={self.name},dormouse.dev/epoch"
        found = self.cluster.get("--namespace", self.namespace, "pods", selector)
        return sorted(found["items"], key=lambda pod: int(pod["metadata"]["labels"]["dormouse.dev/epoch"]))

    def pod(self) -> dict[str, Any]:
        """The newest of them."""
        return self.pods()[-1]

    @property
    def node(self) -> str:
        """Where the newest pod runs."""
        name: str = self.pod()["spec"]["nodeName"]
        return name

    @property
    def prefix(self) -> str:
        """The prefix of the ObjectStore, which all workflows of the namespace share."""
        return self.namespace

    @property
    def attempts_prefix(self) -> str:
        """Where the attempts are told, in the same bucket as the data."""
        return f"{self.prefix}/attempts/{self.name}"

    @property
    def stored(self) -> StoredDatabase:
        """What the store holds of it."""
        store = self.cluster.store
        location = Location(
            store["bucket"], store["endpoint"], store["region"],
            access_key_id=store["access_key_id"], secret_access_key=store["secret_access_key"],
        )  # fmt: skip
        return StoredDatabase(location, Layout.of(self.prefix, self.namespace, self.name), self.cluster.bucket())

    def attempts(self) -> list[Attempt]:
        """Every attempt so far."""
        pages = obstore.list(self.cluster.bucket(), self.attempts_prefix, chunk_size=1000)
        return sorted(Attempt.of_key(item["path"]) for page in pages for item in page)

    def forget_attempts(self) -> None:
        """Remove the attempts of another workflow of this name."""
        for page in obstore.list(self.cluster.bucket(), self.attempts_prefix):
            obstore.delete(self.cluster.bucket(), [item["path"] for item in page])

    def reached(self) -> int:
        """How many steps were begun."""
        return len({attempt.step for attempt in self.attempts()})

    def wait_for_steps(self, more: int = 3, seconds: float = 90.0) -> None:
        """Wait until so many more steps were begun than now."""
        before = self.reached()
        wanted = before + more
        eventually(f"{self.name} begins {more} more steps", lambda: self.reached() >= wanted, seconds=seconds)

    def wait_for_epoch(self, epoch: int, seconds: float = 90.0) -> None:
        """Wait until a step was begun in this epoch or a later one."""

        def works() -> bool:
            return any(attempt.epoch >= epoch for attempt in self.attempts())

        eventually(f"{self.name} works in epoch {epoch}", works, seconds=seconds)

    def wait_for_condition(self, kind: str, status: str = "True", reason: str = "", seconds: float = 90.0) -> str:
        """Wait until the condition is so; its message."""

        def met() -> dict[str, Any]:
            found = self.condition(kind)
            is_so = found.get("status") == status and found.get("reason", "").startswith(reason)
            return found if is_so else {}

        message: str = eventually(f"{self.name} has {kind}={status} {reason}", met, seconds=seconds)["message"]
        return message

    def finish(self, seconds: float = 120.0) -> list[Loss]:
        """Wait until it is Completed; what was acknowledged and did not stay so, in the light of the sealed result."""
        self.wait_for_condition("Completed", seconds=seconds)
        result = self.stored.result()
        assert len(result) == self.steps
        return losses(self.attempts(), result)

    def _me(self, verb: str) -> tuple[str, ...]:
        return ("--namespace", self.namespace, verb, "durableworkflow", self.name)
