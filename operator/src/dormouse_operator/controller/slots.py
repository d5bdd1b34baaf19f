"""How many steps run side by side, and how many of them for one namespace?

A few slots are never all of one namespace's: whoever has a thousand workflows that fail leaves room for one that is
changed elsewhere, which so needs to wait for nobody's step.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Slots:
    """Every step has one, but while it waits for a store."""

    def __init__(self, count: int, freed: Callable[[], None] = lambda: None) -> None:
        """`freed` is told when there may be room for a step that has not begun."""
        self._free = count
        self._most = max(1, count - max(1, count // 4))
        self._freed = freed
        self._held: Counter[str] = Counter()
        self._back: OrderedDict[asyncio.Future[None], str] = OrderedDict()

    def has_room(self, namespace: str) -> bool:
        """Whether a step of this namespace may begin, or go on."""
        return self._free > 0 and self._held[namespace] < self._most

    def take(self, namespace: str) -> None:
        """There has to be room."""
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
                self.take(of)
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
            self.take(namespace)
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._back[waiting] = namespace
        try:
            await waiting
        except asyncio.CancelledError:
            if self._back.pop(waiting, None) is not None:
                self.take(namespace)  # whoever is cancelled gives one back
            raise
