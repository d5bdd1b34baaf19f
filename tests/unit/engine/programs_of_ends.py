"""Programs of ends: cancelled, terminated, undone, retried; and of what is drawn or changed on the way."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from lives import Client, world
from programs import Program, just
from programs_of_calls import fetch
from programs_of_messages import listens, note

from dormouse import (
    ActivityError,
    RetryPolicy,
    activity,
    now,
    patched,
    random,
    uuid4,
    workflow,
    workflow_info,
)


@workflow
async def draws() -> bool:
    before = now()
    drawn = f"{random()} {uuid4()}"
    if not workflow_info().replaying:
        world.said.append(drawn)
    written = await fetch(drawn)
    await asyncio.sleep(60)
    return written == drawn.upper() and (now() - before).total_seconds() == 60 and workflow_info().workflow == "draws"


@workflow
async def changed() -> list[str]:
    said = [await fetch("before")]
    said.append(await fetch("new" if patched("newer") else "old"))
    return said


@workflow
async def cleans_up() -> str:
    try:
        await fetch("before")
        await asyncio.shield(note.receive())
    finally:
        await asyncio.sleep(5)
        await fetch("tidied")
    return "not reached"


@activity(retry=RetryPolicy(attempts=2))
async def pay() -> str:
    world.feels("")
    if not world.mended:
        raise ConnectionError("no bank")
    return "paid"


@activity(retry=RetryPolicy(attempts=1))
async def refuses() -> None:
    world.feels("")
    raise ValueError("never")


@workflow
async def books(places: list[str]) -> str:
    async with AsyncExitStack() as undo:
        for place in places:
            await fetch(place)
            undo.push_async_callback(fetch, f"undo {place}")
        try:
            await refuses()
        except ActivityError:
            return "undone"
        undo.pop_all()
    return "done"


@workflow
async def is_retried() -> list[str]:
    said = [await fetch("once")]
    try:
        return [*said, await pay(), await fetch("after")]
    except ActivityError:
        await fetch("taken back by a retry")
        raise


async def cancel_it(client: Client) -> Any:
    handle = await client.start(cleans_up)
    await client.nothing_goes_on()
    await client.cancel(handle)
    return await client.end(handle)


async def terminate_it(client: Client) -> Any:
    handle = await client.start(listens)
    await client.nothing_goes_on()
    await client.terminate(handle)
    return await client.end(handle)


async def retry_it(client: Client) -> Any:
    handle = await client.start(is_retried)
    failed = await client.end(handle, "first end")
    world.mended = True
    await client.retry(handle)
    return failed, await client.end(handle)


PROGRAMS: dict[str, Program] = {
    "chance": Program(just(draws), True, draws=True),
    "patches": Program(just(changed), ["BEFORE", "NEW"]),
    "cancellation": Program(cancel_it, "main was cancelled: CancelledError"),
    "termination": Program(terminate_it, "main was terminated: Terminated"),
    "compensation": Program(just(books, ["rome", "oslo"]), "undone"),
    "retried": Program(retry_it, ("main failed: ActivityError", ["ONCE", "paid", "AFTER"])),
}
