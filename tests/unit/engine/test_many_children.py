"""Do hundreds of children that end in any order replay in exactly that order, also in later lives?"""

from __future__ import annotations

import asyncio
from random import Random

from dormouse import activity, workflow
from dormouse.testing import Durable, replay

CHILDREN = 200


@activity
async def note(name: str) -> str:
    return name


@workflow
async def child(seconds: int) -> str:
    await asyncio.sleep(seconds)
    return await note(f"after {seconds}")


async def called(number: int, seconds: int) -> str:
    return f"{number} {await child.with_options(id=f'child-{number}')(seconds)}"


@workflow
async def parent(sleeps: list[int]) -> list[str]:
    """What each end makes it ask for has the next number, so another order is another log."""
    calls = [asyncio.ensure_future(called(number, seconds)) for number, seconds in enumerate(sleeps)]
    return [await note(await one) for one in asyncio.as_completed(calls)]


def test_hundreds_of_children_that_end_in_any_order_replay_in_that_order(durable: Durable) -> None:
    chance = Random(1)
    sleeps = [chance.randint(0, 50) for _ in range(CHILDREN)]
    durable.crash_after(20)
    ended = durable.run(parent, sleeps, id="all")
    assert sorted(ended) == sorted(f"{number} after {seconds}" for number, seconds in enumerate(sleeps))
    assert ended != sorted(ended, key=lambda name: int(name.split()[0]))
    replay(durable.database, [parent, child])
