"""Whose log is to be read now? One pod of a workflow follows the other, and containers begin again. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
EPOCH = "dormouse.dev/epoch"


@dataclass(frozen=True, order=True)
class Life:
    """One run of a container: when it begins again, its log is another one."""

    epoch: int
    pod: str
    container: str
    restarts: int


@dataclass(frozen=True)
class Said:
    """What a person is told between the lines."""

    text: str


@dataclass
class Following:
    """What was seen of the workflow's pods so far."""

    containers: Collection[str] = ()
    """Only these; none means all."""
    _begun: set[Life] = field(default_factory=set)
    _newest: str = ""
    _newest_epoch: int = 0
    _gone: set[str] = field(default_factory=set)

    def seen(self, pod: Document) -> list[Life | Said]:
        """What to read, or to say, now that the pod is like this."""
        found: list[Life | Said] = []
        name = pod["metadata"]["name"]
        if name != self._newest and epoch_of(pod) > self._newest_epoch:
            if self._newest:
                found.append(Said(f"{self._newest} is followed by {name}"))
            self._newest, self._newest_epoch = name, epoch_of(pod)
        for life in lives(pod):
            if life not in self._begun and (not self.containers or life.container in self.containers):
                self._begun.add(life)
                found.append(life)
        return found

    def deleted(self, pod: Document) -> list[Said]:
        """What to say now that the pod is gone; said once."""
        name = pod["metadata"]["name"]
        if name != self._newest or name in self._gone:
            return []
        self._gone.add(name)
        return [Said(f"{name} is gone; its next life is waited for")]


def epoch_of(pod: Document) -> int:
    """The life that the pod is."""
    return int((pod["metadata"].get("labels") or {}).get(EPOCH, 0))


def lives(pod: Document) -> list[Life]:
    """The runs of containers that have a log now: those that run, and those that have ended."""
    status = pod.get("status") or {}
    found = []
    for one in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        state = one.get("state") or {}
        if "running" in state or "terminated" in state:
            found.append(Life(epoch_of(pod), pod["metadata"]["name"], one["name"], one.get("restartCount") or 0))
    return found


def prefix(life: Life) -> str:
    """What stands before each line of it."""
    return f"e{life.epoch} {life.container}"
