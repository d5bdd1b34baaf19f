"""What does the API server say? Asked with the cluster's own kubectl."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testcluster.commands import CommandError, plain_environment, run


@dataclass(frozen=True)
class Kubectl:
    """kubectl of the cluster's version, logged in as its administrator."""

    program: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, seconds: float = 60.0) -> str:
        """Run kubectl to its end."""
        return run([str(self.program), *arguments], environment=plain_environment(**self.environment), seconds=seconds)

    @property
    def environment(self) -> dict[str, str]:
        """How kubectl is told where the cluster is; what it caches goes when the cluster goes."""
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.kubeconfig.with_name("kubectl-cache"))}

    def api_is_ready(self) -> bool:
        """Whether the API server says that it serves."""
        try:
            return self("--request-timeout=3s", "get", "--raw=/readyz") == "ok"
        except CommandError:
            return False

    def nodes(self) -> Mapping[str, bool]:
        """Each node and whether it is Ready; none when the API server does not answer."""
        if not (self.program.exists() and self.kubeconfig.exists()):
            return {}
        try:
            listed: dict[str, Any] = json.loads(self("--request-timeout=5s", "get", "nodes", "--output=json"))
        except CommandError:
            return {}
        return {item["metadata"]["name"]: _is_ready(item) for item in listed["items"]}


def _is_ready(item: Mapping[str, Any]) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
