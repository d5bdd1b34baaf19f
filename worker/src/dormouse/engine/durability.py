"""When does a commit count? Three answers: when it is on the local disk, when it is in the store, or soon."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from typing import Protocol


class Durability(Protocol):
    """What the engine asks around each commit. What it raises ends the engine."""

    def before_commit(self) -> Awaitable[None] | None:
        """Until when must another commit wait? None when it is allowed at once."""

    def after_commit(self) -> Awaitable[None] | None:
        """When do the commits made so far count? None when they do already."""

    async def flush(self) -> None:
        """Wait until the commits made so far are as safe as they can be; the last call of a life."""


class Store(Protocol):
    """The keeper, as far as durability goes."""

    async def barrier(self) -> None:
        """Wait until every commit made before this call is in the store and the epoch is still ours."""


class LocalOnly:
    """A commit counts once it is on the local disk."""

    def before_commit(self) -> Awaitable[None] | None:
        return None

    def after_commit(self) -> Awaitable[None] | None:
        return None

    async def flush(self) -> None: ...


class SyncDurability:
    """A commit counts once it is in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def before_commit(self) -> None:
        return None

    async def after_commit(self) -> None:
        await self._store.barrier()

    async def flush(self) -> None:
        await self._store.barrier()


def _boot_seconds() -> float:
    """Unlike the monotonic clock this one goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class AsyncDurability:
    """A commit counts at once, unless the last complete barrier began too long ago: then a barrier comes first.

    Args:
        store: the keeper.
        max_lag_seconds: how long ago that may be.
        all_in_store: what the file holds is in the store already.
        boot_seconds: a clock that goes on while the machine is suspended.
    """

    def __init__(
        self,
        store: Store,
        max_lag_seconds: float,
        *,
        all_in_store: bool = False,
        boot_seconds: Callable[[], float] = _boot_seconds,
    ) -> None:
        self._store = store
        self._max_lag_seconds = max_lag_seconds
        self._boot_seconds = boot_seconds
        # What an earlier process left in the file may be in no store: then the first commit waits for a barrier.
        self._safe_since = boot_seconds() if all_in_store else -math.inf
        self._dirty = asyncio.Event()
        self._background: asyncio.Task[None] | None = None

    @property
    def lag_seconds(self) -> float:
        return self._boot_seconds() - self._safe_since

    def before_commit(self) -> Awaitable[None] | None:
        background = self._background
        if background is not None and background.done():
            background.result()
        return self._catch_up() if self.lag_seconds > self._max_lag_seconds else None

    async def _catch_up(self) -> None:
        while self.lag_seconds > self._max_lag_seconds:
            await self._barrier()

    async def after_commit(self) -> None:
        self._dirty.set()
        if self._background is None:
            self._background = asyncio.create_task(self._keep_up())
        # A process that was frozen since the check before the commit may be a zombie now, and must show no effect.
        await self._catch_up()

    async def flush(self) -> None:
        if self._background is not None:
            self._background.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._background
        await self._barrier()

    async def _keep_up(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(self._max_lag_seconds / 3)
            self._dirty.clear()
            await self._barrier()

    async def _barrier(self) -> None:
        began = self._boot_seconds()
        await self._store.barrier()
        self._safe_since = max(self._safe_since, began)
