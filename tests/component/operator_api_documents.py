"""What does an API server do with documents, whatever it holds? Selectors, watch events, discovery."""

from __future__ import annotations

from typing import Any

from aiohttp import web

Document = dict[str, Any]

KINDS = {
    "": [("Pod", "pods"), ("Secret", "secrets"), ("ConfigMap", "configmaps"), ("Event", "events"), ("Node", "nodes")],
    "dormouse.dev": [("DurableWorkflow", "durableworkflows"), ("ObjectStore", "objectstores")],
    "coordination.k8s.io": [("Lease", "leases")],
    "policy": [("PodDisruptionBudget", "poddisruptionbudgets")],
}
_VERSIONS = {"": "v1", "dormouse.dev": "v1alpha1", "coordination.k8s.io": "v1", "policy": "v1"}
WITH_STATUS = {"pods", "durableworkflows", "objectstores"}


def blocks(owner: Document) -> bool:
    return owner.get("kind") == "DurableWorkflow" and bool(owner.get("blockOwnerDeletion"))


def selected(document: Document, namespace: str | None, request: web.Request) -> bool:
    metadata = document["metadata"]
    wanted = [part.split("=", 1) for part in request.query.get("labelSelector", "").split(",") if part]
    labels = metadata.get("labels") or {}
    fields = request.query.get("fieldSelector", "")
    assert fields in ("", "spec.unschedulable=true"), "this server knows no other"
    if fields and not (document.get("spec") or {}).get("unschedulable"):
        return False
    return namespace in (None, metadata["namespace"]) and all(labels.get(name) == value for name, value in wanted)


def if_selected(document: Document | None, namespace: str | None, request: web.Request) -> Document | None:
    return document if document is not None and selected(document, namespace, request) else None


def watch_event(version: int, before: Document | None, after: Document | None) -> tuple[str, Document] | None:
    """The event of one watch. What it selects no more it tells as deleted, as it was before, with the new version."""
    if after is not None:
        return ("ADDED" if before is None else "MODIFIED"), after
    if before is None:
        return None
    return "DELETED", {**before, "metadata": {**before["metadata"], "resourceVersion": str(version)}}


def discovery(parts: list[str]) -> Document | None:
    if parts == ["api"]:
        return {"versions": ["v1"]}
    if parts == ["apis"]:
        groups = [group for group in KINDS if group]
        return {
            "groups": [
                {
                    "name": name,
                    "versions": [{"version": _VERSIONS[name]}],
                    "preferredVersion": {"version": _VERSIONS[name]},
                }
                for name in groups
            ]
        }
    group = {2: "", 3: parts[1]}.get(len(parts)) if parts[0] in ("api", "apis") else None
    if group is None or group not in KINDS or parts[-1] != _VERSIONS[group]:
        return None
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
    kinds = KINDS[group] if group else [*KINDS[group], ("Namespace", "namespaces")]
    return {
        "resources": [
            {
                "name": plural,
                "singularName": kind.lower(),
                "kind": kind,
                "namespaced": kind != "Namespace",
                "verbs": verbs,
            }
            for kind, plural in kinds
        ]
    }
