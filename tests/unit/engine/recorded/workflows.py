"""What the recorded files hold: the workflows as they were when each was written."""

from __future__ import annotations

import asyncio

from dormouse import activity, workflow


@activity
async def double(number: int) -> int:
    return 2 * number


@workflow
async def short(number: int) -> int:
    if number < 0:
        raise ValueError("too small")
    return await double(number)


@workflow
async def sleeper(number: int) -> int:
    first = await double(number)
    await asyncio.sleep(3600)
    return first + await double(first)
