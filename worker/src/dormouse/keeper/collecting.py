"""How do old epochs leave the store? Behind everything else that a life does, a few requests at a time.

What may go is decided in `dormouse.replica.collection`. A crash at any moment leaves the lineage or some objects as
they were, and a later life goes on with them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta

from dormouse.keeper.ownership import Ownership
from dormouse.replica.collection import collect, is_leftover, pruned
from dormouse.replica.current import Current
from dormouse.replica.layout import Layout
from dormouse.replica.store import HistoryStore, StoreError

_log = logging.getLogger("dormouse.keeper")
_AT_ONCE = 4
"""A commit that waits for the store should not wait behind these."""
_AFTER_TROUBLE_SECONDS = 300.0
_SHORTEST_PAUSE_SECONDS = 1.0


class Collector:
    """Collects for one life, which is replicated."""

    def __init__(
        self, store: HistoryStore, layout: Layout, ownership: Ownership, retention_seconds: int, pruned: asyncio.Event
    ) -> None:
        """`pruned` hears that epochs left the lineage: what can be restored begins later now."""
        self._store = store
        self._layout = layout
        self._ownership = ownership
        self._retention = timedelta(seconds=retention_seconds)
        self._retention_seconds = retention_seconds
        self._pruned = pruned

    async def run(self) -> None:
        """Collect now, and whenever more has grown old; returns when nothing more will in this life.

        Raises:
            NotOurs: when another life is current.
        """
        claimed_at = self._ownership.current.entry.claimed_at
        if claimed_at is None:
            return
        # The store's clock as far as it is known: what a keeper that was restarted counts is too early, never too late.
        offset = datetime.fromisoformat(claimed_at) - timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
        while True:
            now = offset + timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
            try:
                again_at = await self._collect(now)
            except StoreError as error:
                _log.warning("removing old epochs: %s; trying again in %.0f s", error, _AFTER_TROUBLE_SECONDS)
                again_at = now + timedelta(seconds=_AFTER_TROUBLE_SECONDS)
            if again_at is None:
                return
            await asyncio.sleep(max(_SHORTEST_PAUSE_SECONDS, (again_at - now).total_seconds()))

    async def _collect(self, now: datetime) -> datetime | None:
        collected = collect(self._ownership.current, now, self._retention_seconds)
        going = {entry.epoch for entry in self._ownership.current.lineage} - {one.epoch for one in collected.lineage}
        # Before the lineage forgets that they are copies: a life that ends in between leaves the next one to go on.
        for prefix in collected.copies:
            await self._remove_all(prefix)
        if going:

            def change(current: Current) -> Current:
                return pruned(current, collected.lineage)

            await self._ownership.update(change)
            self._pruned.set()
            _log.info("epochs %s left the lineage", ", ".join(map(str, sorted(going))))
        young = await self._remove_leftovers(now)
        return min((moment for moment in (collected.again_at, young) if moment is not None), default=None)

    async def _remove_leftovers(self, now: datetime) -> datetime | None:
        """Remove what no lineage names and is older than the retention; when the next of it will be."""
        batch: list[str] = []
        removed = 0
        next_at: datetime | None = None
        async for listed in self._store.objects(self._layout.epochs):
            if not is_leftover(listed.key, self._ownership.current):
                continue
            if (goes_at := listed.modified + self._retention) > now:
                next_at = goes_at if next_at is None else min(next_at, goes_at)
                continue
            batch.append(listed.key)
            removed += 1
            if len(batch) == _AT_ONCE:
                await self._remove(batch)
                batch = []
        await self._remove(batch)
        if removed:
            _log.info("removed %d objects of old epochs", removed)
        return next_at

    async def _remove_all(self, prefix: str) -> None:
        keys = [key async for key in self._store.keys(f"{prefix}/")]
        for start in range(0, len(keys), _AT_ONCE):
            await self._remove(keys[start : start + _AT_ONCE])

    async def _remove(self, keys: list[str]) -> None:
        await asyncio.gather(*(self._store.delete(key) for key in keys))
