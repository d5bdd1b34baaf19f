"""Where do the kinds that the operator touches live in the Kubernetes API?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class Resource:
    """One kind; all but TokenReviews and Nodes are namespaced."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The URL's path; without a namespace that of all namespaces."""
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


WORKFLOWS = Resource("dormouse.dev", "v1alpha1", "durableworkflows", "DurableWorkflow")
STORES = Resource("dormouse.dev", "v1alpha1", "objectstores", "ObjectStore")
PODS = Resource("", "v1", "pods", "Pod")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
EVENTS = Resource("", "v1", "events", "Event")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview")
NODES = Resource("", "v1", "nodes", "Node")
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")


NODE_LEASES = "kube-node-lease"
"""The namespace in which each kubelet renews a Lease of its node's name."""


def key_of(document: Document) -> Key:
    """The key of any document of a namespaced kind."""
    metadata = document["metadata"]
    return metadata["namespace"], metadata["name"]


def controller_of(document: Document) -> str:
    """The UID of the object that controls this one; empty without one."""
    owners = document["metadata"].get("ownerReferences") or ()
    return next((str(owner.get("uid", "")) for owner in owners if owner.get("controller")), "")


def version_of(document: Document) -> int:
    """The resourceVersion as the number that it is since Kubernetes 1.35 by contract, and with etcd always was."""
    return version_number(str((document.get("metadata") or {}).get("resourceVersion") or ""))


def version_number(found: str) -> int:
    """The same of the text itself; 0 when it is no number."""
    return int(found) if found.isascii() and found.isdigit() else 0
