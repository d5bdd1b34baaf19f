"""How long does a workflow wait for a pod that is ready: from the pod's creation, and from the failure before it?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dormouse_operator.api import DurableWorkflowStatus
from dormouse_operator.controller.resources import Key
from dormouse_operator.controller.tally import Tally

NOBODY_WAITS = frozenset({"Suspended", "Stalled", "Completed", "Deleting"})
"""In these phases no pod is on its way: a person has to act, or has asked for it."""


@dataclass(frozen=True)
class Waiting:
    """Since when, on one clock; None for what did not happen, or happened under another leader."""

    created: float | None = None
    failed: float | None = None


@dataclass(frozen=True)
class Waited:
    """The seconds, once it is over."""

    restore: float | None = None
    failover: float | None = None


def follow(
    waiting: Waiting, old: DurableWorkflowStatus, new: DurableWorkflowStatus, now: float
) -> tuple[Waiting, Waited]:
    """One status became another. A failure of a life that takes the place of a failed one does not begin anew."""
    if new.is_true("Ready"):
        if old.is_true("Ready") and new.epoch == old.epoch:
            return Waiting(), Waited()
        return Waiting(), Waited(_since(waiting.created, now), _since(waiting.failed, now))
    if new.phase in NOBODY_WAITS:
        return Waiting(), Waited()
    if new.epoch > old.epoch:
        waiting = replace(waiting, created=now)
    if waiting.failed is None and new.last_failure is not None and new.last_failure != old.last_failure:
        waiting = replace(waiting, failed=now)
    return waiting, Waited()


def _since(then: float | None, now: float) -> float | None:
    return None if then is None else now - then


class WaitingTimes:
    """Of all workflows that wait, by the clock of this replica."""

    def __init__(self, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
        """`tally` has what came of it."""
        self._tally = tally
        self._clock = clock
        self._waiting: dict[Key, Waiting] = {}

    def saved(self, key: Key, old: DurableWorkflowStatus, new: DurableWorkflowStatus) -> None:
        """This status was written in the place of that one."""
        waiting, waited = follow(self._waiting.get(key, Waiting()), old, new, self._clock())
        if waiting == Waiting():
            self._waiting.pop(key, None)
        else:
            self._waiting[key] = waiting
        for durations, seconds in (
            (self._tally.restores, waited.restore),
            (self._tally.failovers, waited.failover),
        ):
            if seconds is not None:
                durations.add(int(seconds * 1e9))

    def forget(self, key: Key) -> None:
        """There is no such workflow any more."""
        self._waiting.pop(key, None)

    def forget_all(self) -> None:
        """This replica leads anew: what went on meanwhile it has not seen."""
        self._waiting.clear()
