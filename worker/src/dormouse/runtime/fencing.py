"""May an attempt of an activity begin? Only while somebody could prove lately that the epoch is still ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Protocol

from dormouse.keeper.client import KeeperError, OwnershipUnproven
from dormouse.keeper.proof import Bound

_PAUSE_SECONDS = 0.5
_log = logging.getLogger("dormouse.runtime")


class Prover(Protocol):
    """The keeper, as far as ownership goes."""

    @property
    def proven_seconds_ago(self) -> float: ...

    async def ownership(self, within_seconds: float) -> None: ...


class Fence:
    """Asks for a proof when the last one is older than the bound; each barrier is one too."""

    def __init__(self, keeper: Prover, bound: Bound) -> None:
        self._keeper = keeper
        self._bound = bound
        self._proving: asyncio.Task[None] | None = None
        self.failure: asyncio.Future[KeeperError] = asyncio.get_running_loop().create_future()
        """Resolves with why no proof will come any more; whoever waits for one is told nothing."""

    def before_attempt(self) -> Awaitable[None] | None:
        """Until when must an attempt wait before it begins? None when it may at once."""
        return self._until_proven() if self._is_stale() else None

    def _is_stale(self) -> bool:
        return self._keeper.proven_seconds_ago > self._bound.seconds

    async def _until_proven(self) -> None:
        while self._is_stale():
            if self._proving is None or self._proving.done():
                self._proving = asyncio.create_task(self._prove())
            await asyncio.shield(self._proving)  # all that wait share one question

    async def _prove(self) -> None:
        telling = asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._tell)
        try:
            while self._is_stale():
                try:
                    await self._keeper.ownership(self._bound.ask_every)
                except OwnershipUnproven:
                    await asyncio.sleep(_PAUSE_SECONDS)
        except KeeperError as error:
            # The life ends by that, and with it what waits here. An attempt that failed for that reason would be
            # recorded, and the next life would believe it.
            self.failure.set_result(error)
            await asyncio.get_running_loop().create_future()
        finally:
            telling.cancel()

    def _tell(self) -> None:
        _log.warning(
            "no attempt begins: for %.0f s nobody could prove that this pod still owns its epoch",
            self._keeper.proven_seconds_ago,
        )
