"""Is the cluster up, and how is it reached?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testcluster.store import StoreAccess


@dataclass(frozen=True)
class Status:
    """What `hack/cluster status` shows."""

    kind: str
    kubernetes: str
    kubeconfig: Path
    kubectl: Path
    store: StoreAccess | None = None
    # Every program that should run, as HOST/NAME, and whether it does.
    components: Mapping[str, bool] = field(default_factory=dict)
    # Every node, and whether Kubernetes calls it Ready.
    nodes: Mapping[str, bool] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether anything of the cluster is there."""
        return any(self.components.values())

    @property
    def healthy(self) -> bool:
        """Whether everything runs and every node is Ready."""
        return bool(self.nodes) and all(self.components.values()) and all(self.nodes.values())

    def as_json(self) -> str:
        """For programs."""
        paths = {"kubeconfig": str(self.kubeconfig), "kubectl": str(self.kubectl)}
        return json.dumps({**asdict(self), **paths, "healthy": self.healthy}, indent=2)

    def as_text(self) -> str:
        """For a person."""
        if not self.exists:
            return f"the {self.kind} cluster is down; start it with: hack/cluster up"
        lines = [f"{self.kind} cluster, Kubernetes {self.kubernetes}"]
        lines += [f"  {name:28} {'runs' if runs else 'DOWN'}" for name, runs in self.components.items()]
        lines += [f"  node {name:23} {'Ready' if ready else 'NOT READY'}" for name, ready in self.nodes.items()]
        if not self.nodes:
            lines.append("  the API server does not answer")
        lines.append(f"  KUBECONFIG={self.kubeconfig}")
        if self.store is not None:
            lines.append(f"  store {self.store.endpoint}, bucket {self.store.bucket}; keys: hack/cluster status --json")
        return "\n".join(lines)
