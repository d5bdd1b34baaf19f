"""What does one step leave for the next one of the same object? Nothing that a restart may not lose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dormouse_operator.api import ObjectStore
from dormouse_operator.controller.credentials import Credentials
from dormouse_operator.controller.resources import Key
from dormouse_operator.plan import Current, CurrentUnread, Refusal, Session, pause_seconds

Pods = tuple[Any, ...]


Opened = tuple[ObjectStore, Credentials]


@dataclass(slots=True)
class Minting:
    """Credentials in one Secret."""

    session: Session | None = None
    """As far as that was looked up."""
    error: str = ""
    """What kept them from being minted."""
    again_at: float = 0.0
    """By the loop's clock: before that, they are not asked for once more."""


@dataclass(slots=True)
class Memory:
    """Of one object: of another one of its name it says nothing."""

    uid: str
    opened: Opened | None = None
    """Store and keys as they last were there."""
    namespace_ends: bool = False
    """The API server said so."""
    release_error: str = ""
    """What kept the data from being released."""
    ask_again_at: float = 0.0
    """By the loop's clock: before that, nothing is asked of a store that has just failed."""
    sessions: dict[str, Minting] = field(default_factory=dict)
    """By the name of the Secret: of its pods, and of its checks."""
    refused_check: str = ""
    """What the API server said to the pod of a check."""
    has_budget: bool | None = None
    """Whether its PodDisruptionBudget was made, or seen to be gone, by this operator."""
    budget_error: str = ""
    """What kept it from being made, or from going."""
    _pods: frozenset[tuple[str, str]] = frozenset()
    _current: Current = field(default_factory=CurrentUnread)
    _is_fresh: bool = False
    _refusals: _Refusals | None = None

    def current(self, pods: Pods) -> Current:
        """What CURRENT said, if the pods are still as they were when it was asked, and have been so ever since."""
        if self._pods != _signature(pods):
            self.was_read(pods, CurrentUnread())
        return self._current

    def was_read(self, pods: Pods, current: Current) -> None:
        """This is what CURRENT says."""
        self._pods, self._current, self._is_fresh = _signature(pods), current, True

    @property
    def is_current_old(self) -> bool:
        """Whether it was read in an earlier step: pods of which nobody told may have claimed since, and be gone."""
        return not (self._is_fresh or isinstance(self._current, CurrentUnread))

    def begins_step(self) -> None:
        """What is known from now on is old."""
        self._is_fresh = False

    def forget_current(self) -> None:
        """It is to be read anew."""
        self._current = CurrentUnread()

    def minting(self, secret: str) -> Minting:
        """Of the Secret with this name."""
        return self.sessions.setdefault(secret, Minting())

    def refusal(self, pod: str, generation: int, now: float) -> Refusal | None:
        """What the API server said to this pod; None when it took it. Another spec may be asked for at once."""
        known = self._refusals
        if known is None or known.pod != pod:
            return None
        return Refusal(known.message, max(0.0, known.again_at - now) if known.generation == generation else 0.0)

    def was_refused(self, pod: str, generation: int, message: str, now: float) -> None:
        """The API server did not take it."""
        known = self._refusals
        is_same = known is not None and (known.pod, known.generation) == (pod, generation)
        count = known.count + 1 if known is not None and is_same else 1
        self._refusals = _Refusals(pod, generation, message, count, now + pause_seconds(count))

    def was_taken(self) -> None:
        """The API server took the newest pod, which may claim at once, and be gone before it is seen."""
        self._refusals = None
        self.forget_current()
        for minting in self.sessions.values():
            minting.session = None  # whether its credentials are there still is worth a look


@dataclass(frozen=True)
class _Refusals:
    """In a row, of one pod that follows one spec."""

    pod: str
    generation: int
    message: str
    count: int
    again_at: float
    """By the loop's clock."""


class Memories:
    """One for each key."""

    def __init__(self) -> None:
        self._memories: dict[Key, Memory] = {}
        self._opened: dict[Key, Opened] = {}

    def of(self, key: Key, uid: str) -> Memory:
        """That of this very object."""
        known = self._memories.get(key)
        if known is None or known.uid != uid:
            known = self._memories[key] = Memory(uid)
        return known

    def opened(self, key: Key, store: ObjectStore, credentials: Credentials) -> Opened:
        """The same pair for all workflows of a store, as long as it is the same: not one for each of thousands."""
        opened = (store, credentials)
        if self._opened.get(key) != opened:
            self._opened[key] = opened
        return self._opened[key]

    def begins_step(self, key: Key) -> None:
        """Of the object of this name."""
        if (known := self._memories.get(key)) is not None:
            known.begins_step()

    def forget(self, key: Key) -> None:
        """There is no such object any more."""
        self._memories.pop(key, None)


def _signature(pods: Pods) -> frozenset[tuple[str, str]]:
    return frozenset((pod["metadata"]["uid"], str(pod["metadata"].get("resourceVersion"))) for pod in pods)
