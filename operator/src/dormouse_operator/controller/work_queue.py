"""Which key is worked on next? Each key once, never two steps of one key at a time, failures with a growing pause.

Keys are taken in turn from the groups that they belong to, so that one with thousands of them keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

K = TypeVar("K")
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0


class Timer(Protocol):
    """What `loop.call_later` returns."""

    def cancel(self) -> None:
        """Never run it."""

    def when(self) -> float:
        """The time on the loop's clock."""


CallLater = Callable[[float, Callable[[], None]], Timer]


@dataclass(frozen=True)
class Load:
    """How much there is to do, and since when."""

    ready: int
    oldest_seconds: float
    """How long the one has been waiting that has waited longest."""
    working: int
    failing: int
    """Keys whose last step failed: they come again after a pause."""


class WorkQueue(Generic[K]):
    """Every `get` is followed by a `done` of the same key."""

    def __init__(
        self,
        call_later: CallLater | None = None,
        clock: Callable[[], float] = time.monotonic,
        group_of: Callable[[K], Hashable] = lambda _: None,
    ) -> None:
        """`call_later` is the running loop's unless a test has its own clock; by itself there is one group."""
        self._call_later = call_later
        self._clock = clock
        self._group_of = group_of
        self._ready: OrderedDict[Hashable, deque[K]] = OrderedDict()
        """By group, the one whose turn is next first; none is empty."""
        self._waiting: dict[K, float] = {}
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, Timer] = {}
        self._failures: dict[K, int] = {}
        self._something = asyncio.Event()
        self._rested = asyncio.Event()

    def add(self, key: K) -> None:
        """Work on the key soon; while it is worked on, once more afterwards."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._clock()
            self._ready.setdefault(self._group_of(key), deque()).append(key)
            self._something.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Add it later, unless it is worked on before; of two times the earlier one counts."""
        if seconds <= 0:
            self.add(key)
            return
        timer = self._later(seconds, key)
        known = self._timers.get(key)
        if known is not None and known.when() <= timer.when():
            timer.cancel()
            return
        if known is not None:
            known.cancel()
        self._timers[key] = timer

    async def get(self, may: Callable[[Hashable], bool] = lambda _: True) -> K:
        """The next key of a group that may be worked on, as soon as there is one: see `look_again`."""
        while (key := self.take(may)) is None:
            self._something.clear()
            await self._something.wait()
        return key

    def look_again(self) -> None:
        """A group that might not be worked on may be now."""
        self._something.set()

    def take(self, may: Callable[[Hashable], bool] = lambda _: True) -> K | None:
        """The next key, if there is one; what was planned for later is off, since the work now decides anew."""
        for group in self._ready:
            if may(group):
                return self._take(group)
        return None

    def _take(self, group: Hashable) -> K:
        keys = self._ready.pop(group)
        key = keys.popleft()
        if keys:
            self._ready[group] = keys
        del self._waiting[key]
        self._working.add(key)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        return key

    def done(self, key: K, failed: bool = False) -> None:
        """The step is over; a failed one is taken again after a pause that doubles with each failure in a row."""
        self._working.discard(key)
        self._rested.set()
        if failed:
            self._failures[key] = count = self._failures.get(key, 0) + 1
            self._again.discard(key)
            self.add_after(key, min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(count - 1, 16)))
            return
        self._failures.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def idle(self) -> None:
        """Until there is nothing to do now; what is due later does not count."""
        while self._waiting or self._working:
            self._rested.clear()
            await self._rested.wait()

    def load(self) -> Load:
        """As it is now."""
        now = self._clock()
        oldest = max((now - self._waiting[keys[0]] for keys in self._ready.values()), default=0.0)
        return Load(len(self._waiting), oldest, len(self._working), len(self._failures))

    def failures(self, key: K) -> int:
        """Failed steps in a row."""
        return self._failures.get(key, 0)

    def _later(self, seconds: float, key: K) -> Timer:
        call_later = self._call_later or asyncio.get_running_loop().call_later
        return call_later(seconds, lambda: self._due(key))

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
