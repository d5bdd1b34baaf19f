"""What of an object is kept in memory? What a plan reads, which of a pod is not much."""

from __future__ import annotations

from typing import Any

from dormouse_operator.controller.resources import PODS, Document, Resource
from dormouse_operator.plan import BREAK_GLASS, IDENTITY

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_POD_SPEC = ("nodeName",)
_POD_STATUS = ("phase", "reason", "message", "conditions")
_KEEPER_ENVIRONMENT = frozenset((*BREAK_GLASS, *IDENTITY))
_CONTAINER_STATUS = ("name", "ready", "state", "lastState")


def trimmed(resource: Resource, document: Document) -> Document:
    """A copy without the rest; the parts that stay are shared."""
    made = {**document, "metadata": _metadata(document["metadata"])}
    if resource is PODS:
        made["spec"] = _pod_spec(document.get("spec") or {})
        made["status"] = _pod_status(document.get("status") or {})
    return made


def _metadata(metadata: Document) -> Document:
    """Who changed which field when, and the whole object once more as somebody applied it."""
    made = {name: value for name, value in metadata.items() if name != "managedFields"}
    annotations = made.get("annotations")
    if annotations and _LAST_APPLIED in annotations:
        made["annotations"] = {name: value for name, value in annotations.items() if name != _LAST_APPLIED}
    return made


def _pod_spec(spec: Document) -> Document:
    made = _only(_POD_SPEC, spec)
    made["initContainers"] = [_with_environment(each) for each in spec.get("initContainers") or ()]
    made["containers"] = [_only(("name", "image"), each) for each in spec.get("containers") or ()]
    return made


def _with_environment(container: Document) -> Document:
    told = [entry for entry in container.get("env") or () if entry["name"] in _KEEPER_ENVIRONMENT]
    return {**_only(("name", "image"), container), "env": told}


def _pod_status(status: Document) -> Document:
    made = _only(_POD_STATUS, status)
    for name in ("initContainerStatuses", "containerStatuses"):
        made[name] = [_only(_CONTAINER_STATUS, each) for each in status.get(name) or ()]
    return made


def _only(names: tuple[str, ...], document: Document) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}
