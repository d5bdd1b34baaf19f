"""What does a pod's status say, in the words of Kubernetes, about containers in these states?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

NODE = "dormouse-dev"


class Waiting(Struct, frozen=True):
    """Not started, or not started again yet."""

    reason: str
    message: str = ""

    def document(self) -> dict[str, Any]:
        """As in containerStatuses[].state."""
        return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}


class Running(Struct, frozen=True):
    """Its process runs."""

    started_at: str

    def document(self) -> dict[str, Any]:
        """As in containerStatuses[].state."""
        return {"running": {"startedAt": self.started_at}}


class Terminated(Struct, frozen=True):
    """Its process ended."""

    exit_code: int
    started_at: str
    finished_at: str
    message: str = ""
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """As in containerStatuses[].state."""
        reason = self.reason or ("Completed" if self.exit_code == 0 else "Error")
        told = {
            "exitCode": self.exit_code,
            "reason": reason,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
        }
        return {"terminated": told | ({"message": self.message} if self.message else {})}


class ContainerState(Struct, frozen=True):
    """One container as the kubelet sees it."""

    name: str
    image: str = ""
    is_sidecar: bool = False
    now: Waiting | Running | Terminated = Waiting("ContainerCreating")
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it ended and nothing starts it again."""
        return isinstance(self.now, Terminated)

    def document(self) -> dict[str, Any]:
        """As in containerStatuses[]."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": "",
            "ready": self.ready,
            "started": isinstance(self.now, Running),
            "restartCount": self.restarts,
            "state": self.now.document(),
            "lastState": self.last.document() if self.last is not None else {},
        }


def timestamp() -> str:
    """Now, as Kubernetes writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def phase(containers: Sequence[ContainerState]) -> Literal["Pending", "Running", "Succeeded", "Failed"]:
    """The pod's phase: its main containers decide, once every container has been tried."""
    mains = [each for each in containers if not each.is_sidecar]
    ends = [each.now.exit_code for each in mains if isinstance(each.now, Terminated)]
    if len(ends) == len(mains):
        return "Succeeded" if not any(ends) else "Failed"
    if any(isinstance(each.now, Waiting) and each.last is None for each in containers):
        return "Pending"
    return "Running"


def pod_status(containers: Sequence[ContainerState], earlier: dict[str, Any], now: str) -> dict[str, Any]:
    """The whole status; a condition's time moves only when the condition does."""
    stage = phase(containers)
    not_ready = [each.name for each in containers if not each.ready]
    is_ready = stage == "Running" and not not_ready
    told = {
        "PodScheduled": ("True", {}),
        "ContainersReady": _readiness(is_ready, stage, not_ready),
        "Ready": _readiness(is_ready, stage, not_ready),
    }
    before = {each["type"]: each for each in earlier.get("conditions", ())}
    conditions = []
    for kind, (status, why) in told.items():
        same = before.get(kind, {}).get("status") == status
        since = before[kind]["lastTransitionTime"] if same else now
        conditions.append({"type": kind, "status": status, **why, "lastTransitionTime": since})
    return {
        "phase": stage,
        "conditions": conditions,
        "startTime": earlier.get("startTime", now),
        "hostIP": "127.0.0.1",
        "podIP": "127.0.0.1",
        "initContainerStatuses": [each.document() for each in containers if each.is_sidecar],
        "containerStatuses": [each.document() for each in containers if not each.is_sidecar],
    }


def _readiness(is_ready: bool, stage: str, not_ready: list[str]) -> tuple[str, dict[str, str]]:
    if is_ready:
        return "True", {}
    if stage == "Succeeded":
        return "False", {"reason": "PodCompleted"}
    return "False", {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(not_ready)}]",
    }


def terminated(document: dict[str, Any]) -> Terminated | None:
    """The end that a saved containerStatuses[].state tells of, if it tells of one."""
    told = document.get("terminated")
    if told is None:
        return None
    return Terminated(
        exit_code=told["exitCode"],
        started_at=told["startedAt"],
        finished_at=told["finishedAt"],
        message=told.get("message", ""),
        reason=told["reason"],
    )
