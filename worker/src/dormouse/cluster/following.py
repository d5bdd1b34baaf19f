"""Whose log is to be read now? One pod of a workflow follows the other, and containers begin again. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

Document = dict[str, Any]
EPOCH = "dormouse.dev/epoch"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)")
"""As every kubelet writes it, so that text is in the order of time."""


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


class Left(Enum):
    """What is still to be read of a log whose stream has ended."""

    ALL = auto()
    """It goes on being written."""
    REST = auto()
    """What was written since, up to its end."""
    REST_BEFORE_RESTART = auto()
    """The same, and the container has begun again meanwhile."""
    NOTHING = auto()


@dataclass
class Log:
    """What was read of a life's log so far. A stream of it that breaks off is begun again where it was."""

    life: Life
    _newest: str = ""
    _of_newest: int = 0
    _to_skip: int = 0

    def begin(self) -> str | None:
        """The moment at which a stream is to begin. It leaves out the fraction, so lines come again."""
        self._to_skip = self._of_newest
        return self._newest or None

    def unread(self, line: str) -> str | None:
        """The line without its moment; None when it was read before."""
        moment, space, text = line.partition(" ")
        if not (space and _MOMENT.fullmatch(moment)):
            return line  # of the kubelet
        # Lines that were written at once may have the same moment, and the two streams of a container overtake.
        if self._to_skip and moment <= self._newest:
            self._to_skip -= moment == self._newest
            return None
        self._to_skip = 0
        if moment > self._newest:
            self._newest, self._of_newest = moment, 0
        self._of_newest += moment == self._newest
        return text

    def left(self, pod: Document | None, before: Left) -> Left:
        """What to read now that its stream has ended; `before` is what that was to read."""
        one = next((one for one in _containers(pod or {}) if one["name"] == self.life.container), None)
        if one is None:
            return Left.NOTHING
        restarts = one.get("restartCount") or 0
        if restarts == self.life.restarts and "running" in (one.get("state") or {}):
            return Left.ALL
        if before is Left.ALL and restarts <= self.life.restarts + 1:
            return Left.REST if restarts == self.life.restarts else Left.REST_BEFORE_RESTART
        return Left.NOTHING


def epoch_of(pod: Document) -> int:
    """The life that the pod is."""
    return int((pod["metadata"].get("labels") or {}).get(EPOCH, 0))


def lives(pod: Document) -> list[Life]:
    """The runs of containers that have a log now: those that run, and those that have ended."""
    found = []
    for one in _containers(pod):
        state = one.get("state") or {}
        if "running" in state or "terminated" in state:
            found.append(Life(epoch_of(pod), pod["metadata"]["name"], one["name"], one.get("restartCount") or 0))
    return found


def _containers(pod: Document) -> list[Document]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def prefix(life: Life) -> str:
    """What stands before each line of it."""
    return f"e{life.epoch} {life.container}"
