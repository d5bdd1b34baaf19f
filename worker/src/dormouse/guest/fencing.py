"""When must a guest end that was told nothing? Once nobody could prove for too long that the epoch is still ours."""

from __future__ import annotations

import asyncio
from typing import Any

from dormouse.keeper.client import KeeperClient, KeeperError, OwnershipUnproven
from dormouse.keeper.proof import Bound

_LONGEST_TURN_SECONDS = 1.0
_PAUSE_SECONDS = 0.5


async def first_proof(keeper: KeeperClient, bound: Bound) -> None:
    """Wait until ownership is proven, for as long as the store takes.

    Raises:
        KeeperError: when this life is over.
    """
    while keeper.proven_seconds_ago > bound.ask_every:
        try:
            await keeper.ownership(bound.ask_every)
        except OwnershipUnproven:
            await asyncio.sleep(_PAUSE_SECONDS)


async def until_lost(keeper: KeeperClient, bound: Bound) -> KeeperError:
    """Return why, once ownership is lost, or its last proof is so old that the guest has to be told to end."""
    asking = asyncio.create_task(_keep_asking(keeper, bound))
    ends: set[asyncio.Future[Any]] = {asking, keeper.ended}
    try:
        while (left := bound.told_after - keeper.proven_seconds_ago) > 0:
            # In short turns: the loop's own clock stands still while the machine is suspended.
            turn = min(left, _LONGEST_TURN_SECONDS)
            await asyncio.wait(ends, timeout=turn, return_when=asyncio.FIRST_COMPLETED)
            if keeper.ended.done():
                return keeper.ended.result()
            if asking.done():
                return asking.result()
        return OwnershipUnproven(
            f"for {keeper.proven_seconds_ago:.1f} s nobody could prove that this pod still owns its epoch"
        )
    finally:
        asking.cancel()


async def _keep_asking(keeper: KeeperClient, bound: Bound) -> KeeperError:
    while True:
        try:
            await keeper.ownership(bound.ask_every)
        except OwnershipUnproven:
            await asyncio.sleep(min(_PAUSE_SECONDS, bound.ask_every))
        except KeeperError as error:
            return error
        else:
            await asyncio.sleep(bound.ask_every)
