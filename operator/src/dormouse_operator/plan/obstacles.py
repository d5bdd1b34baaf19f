"""What keeps a pod from starting, in Kubernetes' own words?"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

NO_IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "InvalidImageName",
        "ErrImageNeverPull",
    }
)
_ON_ITS_WAY = frozenset({"", "ContainerCreating", "PodInitializing", "CrashLoopBackOff"})
"""What is no obstacle, or one that the container itself explains better."""
_WAITS_FOR_THE_NEXT_PULL = re.compile(
    r'Back-off pulling image "[^"]*": (?P<reason>[A-Z]\w+): (?P<message>.+)', re.DOTALL
)


class Obstacle(Struct, frozen=True):
    reason: str
    message: str
    container: str = ""
    """Whose; empty when it is the pod's."""


def obstacle_of(status: Mapping[str, Any], *containers: Mapping[str, Any]) -> Obstacle | None:
    """The first one of a pod with this status and these containers' statuses."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Obstacle(condition.get("reason") or "Unschedulable", condition.get("message") or "")
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in _ON_ITS_WAY:
            return _of_container(container["name"], waiting["reason"], waiting.get("message") or "")
    return None


def _of_container(name: str, reason: str, message: str) -> Obstacle:
    """Between two pulls a kubelet repeats how the last one failed: one obstacle, not two that come and go."""
    last = _WAITS_FOR_THE_NEXT_PULL.fullmatch(message) if reason == "ImagePullBackOff" else None
    return Obstacle(reason, message, name) if last is None else Obstacle(last["reason"], last["message"], name)
