"""May an attempt begin?"""

from __future__ import annotations

import asyncio

import pytest

from dormouse.keeper.client import Fenced, KeeperError, KeeperGone
from dormouse.keeper.proof import Bound
from dormouse.runtime.fencing import Fence


class Keeper:
    """Proves nothing until it is told to, or fails."""

    def __init__(self, age: float, error: KeeperError | None = None) -> None:
        self.proven_seconds_ago = age
        self.error = error
        self.asked = 0
        self.proves = asyncio.Event()

    async def ownership(self, within_seconds: float) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        await self.proves.wait()
        self.proven_seconds_ago = within_seconds


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def begin(fence: Fence) -> None:
    waits = fence.before_attempt()
    if waits is not None:
        await waits


def test_an_attempt_begins_at_once_while_the_last_proof_is_within_the_bound() -> None:
    async def scenario() -> None:
        keeper = Keeper(20)
        assert Fence(keeper, Bound(20)).before_attempt() is None
        assert keeper.asked == 0

    asyncio.run(scenario())


def test_all_that_wait_share_one_question() -> None:
    async def scenario() -> None:
        keeper = Keeper(20.1)
        fence = Fence(keeper, Bound(20))
        waiting = [asyncio.create_task(begin(fence)) for _ in range(3)]
        await settle()
        assert keeper.asked == 1
        assert not any(task.done() for task in waiting)
        keeper.proves.set()
        await asyncio.gather(*waiting)
        assert keeper.asked == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [Fenced("epoch 4 is current"), KeeperGone("killed"), KeeperError("unforeseen")])
def test_who_waits_when_no_proof_will_come_is_told_nothing_that_could_be_recorded_and_the_life_ends(
    error: KeeperError,
) -> None:
    async def scenario() -> None:
        fence = Fence(Keeper(20.1, error), Bound(20))
        waiting = asyncio.create_task(begin(fence))
        assert await asyncio.wait_for(fence.failure, 60) is error
        await settle()
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(scenario())
