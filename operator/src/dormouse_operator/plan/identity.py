"""Whose life is in a pod? What nobody can edit says so: its name, and the environment of its keeper.

Labels and owner references are for people and for the garbage collector: they can be taken away and forged, by hand
or by `kubectl delete --cascade=orphan`, and the pod writes on all the same.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from dormouse_operator.plan.naming import KEEPER_CONTAINER, MANAGED_BY_LABEL, check_name, pod_name

WORKFLOW_NAME = "DORMOUSE_NAME"
WORKFLOW_UID = "DORMOUSE_WORKFLOW_UID"
IDENTITY = (WORKFLOW_NAME, WORKFLOW_UID)
"""The settings of the keeper that say whose life it is."""


class CheckIdentity(Struct, frozen=True):
    """What a pod checks that only replays: the hash of a spec and a store, and which attempt it is."""

    workflow: str
    workflow_uid: str
    digest: str
    attempt: int


class Identity(Struct, frozen=True):
    """Of which DurableWorkflow a pod is a life."""

    workflow: str
    workflow_uid: str
    epoch: int


def identity_of(pod: Mapping[str, Any]) -> Identity | None:
    """None for a pod that is no life, like the copy that `kubectl debug` makes of one."""
    name, uid = _told(pod)
    epoch = epoch_of(pod["metadata"]["name"])
    if not uid or not epoch or pod["metadata"]["name"] != pod_name(name, epoch):
        return None
    return Identity(name, uid, epoch)


def check_of(pod: Mapping[str, Any]) -> CheckIdentity | None:
    """None for a pod that is no check; whatever is a life is none."""
    name, uid = _told(pod)
    match = re.search(r"-check-([0-9a-f]{16})-([1-9][0-9]{0,17})$", pod["metadata"]["name"])
    if not uid or match is None or pod["metadata"]["name"] != check_name(name, match[1], int(match[2])):
        return None
    return CheckIdentity(name, uid, match[1], int(match[2]))


def _told(pod: Mapping[str, Any]) -> tuple[str, str]:
    """The name and the UID of the workflow, as the keeper's environment has them."""
    containers = (pod.get("spec") or {}).get("initContainers") or ()
    keeper: Mapping[str, Any] = next((each for each in containers if each.get("name") == KEEPER_CONTAINER), {})
    told = {entry["name"]: str(entry.get("value") or "") for entry in keeper.get("env") or ()}
    return told.get(WORKFLOW_NAME, ""), told.get(WORKFLOW_UID, "")


def workflow_uid(pod: Mapping[str, Any]) -> str:
    """Of the DurableWorkflow that the pod is a life or a check of; empty when it is neither."""
    identity = identity_of(pod) or check_of(pod)
    return "" if identity is None else identity.workflow_uid


def epoch_of(name: str) -> int:
    """That of the pod of this name; 0 when the name says none."""
    match = re.search(r"-e([1-9][0-9]{0,17})$", name)
    return int(match[1]) if match else 0


def is_watched(pod: Mapping[str, Any]) -> bool:
    """Whether it has the label that the operator's watches ask for: of a pod without it nothing is told any more."""
    return (pod["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) == "dormouse"
