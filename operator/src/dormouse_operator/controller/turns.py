"""Who may roll now? So many workflows at once as the installation allows; the others wait, namespaces in turn.

Who rolls is read from the statuses, so an operator that has just started knows it too. The order in which the others
wait is all that is only remembered here.
"""

from __future__ import annotations

from collections.abc import Callable

from dormouse_operator.controller.resources import Key
from dormouse_operator.controller.work_queue import WorkQueue


class RollTurns:
    """The turns of one replica. Nobody gets one before `begin`, since its cache may lack what another one has begun."""

    def __init__(self, most: int, wake: Callable[[Key], None]) -> None:
        """`most` roll at once, 0 is without a bound; `wake` is told whose turn has come."""
        self._most = most
        self._wake = wake
        self._rolling: set[Key] = set()
        self._called: set[Key] = set()
        """Their turn has come, and their status does not say so yet."""
        self._waiting = _queue()
        self._begun = False

    def saw(self, key: Key, *, is_rolling: bool) -> None:
        """What the status of this workflow says; one that is gone does not roll."""
        if is_rolling:
            self._rolling.add(key)
            self._called.discard(key)
        elif key in self._rolling:
            self._rolling.discard(key)
            self._call()

    def has(self, key: Key) -> bool:
        """Whether it is this workflow's turn, or there is no bound."""
        return not self._most or key in self._rolling or key in self._called

    def ask(self, key: Key) -> bool:
        """Whether it is its turn now; if not, it is woken when it is."""
        if not self.has(key):
            self._waiting.add(key)
            self._call()
        return self.has(key)

    def give_back(self, key: Key) -> None:
        """It does not roll after all."""
        if key in self._called:
            self._called.discard(key)
            self._call()

    def begin(self) -> None:
        """Every status is known as it is now."""
        self._begun = True
        self._call()

    def end(self) -> None:
        """Another replica decides from now on."""
        self._begun = False
        self._called.clear()
        self._waiting = _queue()

    def _call(self) -> None:
        while self._begun and len(self._rolling | self._called) < self._most:
            if (key := self._waiting.take()) is None:
                return
            self._waiting.done(key)
            if key not in self._rolling:
                self._called.add(key)
                self._wake(key)


def _queue() -> WorkQueue[Key]:
    return WorkQueue(group_of=lambda key: key[0])
