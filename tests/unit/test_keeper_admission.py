"""Does a life that is told to stop begin nothing, however late it is told?"""

from __future__ import annotations

import asyncio

import pytest

from dormouse.keeper.admission import ToldToStop, unless_told


def test_told_in_the_very_turn_in_which_it_may_begin_it_does_not() -> None:
    async def story() -> None:
        told = asyncio.Event()

        async def enter() -> str:
            told.set()
            return "entered"

        with pytest.raises(ToldToStop):
            await unless_told(asyncio.create_task(enter()), told)

    asyncio.run(story())


def test_what_the_entry_raises_is_told_all_the_same() -> None:
    async def story() -> None:
        told = asyncio.Event()

        async def enter() -> str:
            told.set()
            raise LookupError("sealed already")

        with pytest.raises(LookupError):
            await unless_told(asyncio.create_task(enter()), told)

    asyncio.run(story())


def test_told_nothing_it_enters() -> None:
    async def story() -> str:
        async def enter() -> str:
            return "entered"

        return await unless_told(asyncio.create_task(enter()), asyncio.Event())

    assert asyncio.run(story()) == "entered"
