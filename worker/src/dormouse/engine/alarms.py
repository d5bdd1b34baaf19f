"""Which timer is next? The durable timers of all executions on one heap."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from dormouse.engine.calls import Timed
from dormouse.engine.clock import Clock, Ringing
from dormouse.engine.registry import Dormant

Alarmed = Timed | Dormant


class Alarms:
    """Rings for everything that is due."""

    def __init__(self, clock: Clock, ring: Callable[[Alarmed], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._heap: list[tuple[int, int, int]] = []
        self._waiting: dict[tuple[int, int], Alarmed] = {}
        self._ringing: Ringing | None = None
        self._rings_at: int | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def set(self, waiting: Alarmed) -> None:
        key = _key(waiting)
        self._waiting[key] = waiting
        heapq.heappush(self._heap, (waiting.due or 0, *key))
        self._arm()

    def clear(self, waiting: Alarmed) -> None:
        self._waiting.pop(_key(waiting), None)

    def holds(self, waiting: Alarmed) -> bool:
        return _key(waiting) in self._waiting

    def earliest(self) -> int | None:
        """The next moment at which something is due."""
        while self._heap and self._heap[0][1:] not in self._waiting:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def stop(self) -> None:
        self._waiting.clear()
        self._arm()

    def _arm(self) -> None:
        earliest = self.earliest()
        if self._ringing is not None and self._rings_at == earliest:
            return
        if self._ringing is not None:
            self._ringing.cancel()
        self._rings_at = earliest
        self._ringing = None if earliest is None else self._clock.call_at(earliest, self._due)

    def _due(self) -> None:
        self._ringing = None
        now = self._clock.now()
        while (earliest := self.earliest()) is not None and earliest <= now:
            _, *key = heapq.heappop(self._heap)
            self._ring(self._waiting.pop((key[0], key[1])))
        self._arm()


def _key(waiting: Alarmed) -> tuple[int, int]:
    return (waiting.key, 0) if isinstance(waiting, Dormant) else (waiting.execution.key, waiting.command)
