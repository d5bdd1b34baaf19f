"""How many steps run side by side, and how many of them for one namespace?

A few slots are never all of one namespace's: whoever has a thousand workflows that fail leaves room for one that is
changed elsewhere, which so needs to wait for nobody's step. That is not all that it waits for: its requests share the
API server with those of the steps beside it. So a namespace that is not alone has few steps at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

BESIDE_SECONDS = 10.0
"""So long after its last step began a namespace counts as one beside which others work."""


class Slots:
    """Every step has one, but while it waits for a store."""

    def __init__(
        self,
        count: int,
        freed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`freed` is told when there may be room for a step that has not begun."""
        self._free = count
        self._most_alone = max(1, count - max(1, count // 4))
        self._most_beside = max(1, count // 8)
        self._freed = freed
        self._clock = clock
        self._latest: OrderedDict[str, float] = OrderedDict()
        """When the last step began of the two namespaces whose steps began last."""
        self._held: Counter[str] = Counter()
        self._back: OrderedDict[asyncio.Future[None], str] = OrderedDict()

    def has_room(self, namespace: str) -> bool:
        """Whether a step of this namespace may begin, or go on."""
        most = self._most_alone if self._is_alone(namespace) else self._most_beside
        return self._free > 0 and self._held[namespace] < most

    def _is_alone(self, namespace: str) -> bool:
        since = self._clock() - BESIDE_SECONDS
        return all(began < since for other, began in self._latest.items() if other != namespace)

    def take(self, namespace: str, *, is_noticed: bool = True) -> None:
        """For a step that begins; there has to be room. `is_noticed`: whether others are to leave room for more."""
        if is_noticed:
            self._latest[namespace] = self._clock()
            self._latest.move_to_end(namespace)
            if len(self._latest) > 2:
                self._latest.popitem(last=False)
        self._hold(namespace)

    def _hold(self, namespace: str) -> None:
        self._free -= 1
        self._held[namespace] += 1

    def give_back(self, namespace: str) -> None:
        """For a step that comes back from its store, else for one that has not begun."""
        self._free += 1
        self._held[namespace] -= 1
        if not self._held[namespace]:
            del self._held[namespace]
        for each, of in tuple(self._back.items()):
            if self.has_room(of):
                del self._back[each]
                self._hold(of)
                each.set_result(None)
        self._freed()

    @asynccontextmanager
    async def lent(self, namespace: str) -> AsyncIterator[None]:
        """Within, the slot of the step that asks is another's."""
        self.give_back(namespace)
        try:
            yield
        finally:
            await self._take_again(namespace)

    async def _take_again(self, namespace: str) -> None:
        if self.has_room(namespace):
            self._hold(namespace)
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._back[waiting] = namespace
        try:
            await waiting
        except asyncio.CancelledError:
            if self._back.pop(waiting, None) is not None:
                self._hold(namespace)  # whoever is cancelled gives one back
            raise
