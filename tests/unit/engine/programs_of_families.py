"""Programs of families: workflows that call others, and what becomes of those when their caller ends."""

from __future__ import annotations

import asyncio
from typing import Any

from lives import Client
from programs import Program, just
from programs_of_asyncio import nap
from programs_of_calls import fetch
from programs_of_ends import refuses
from programs_of_messages import note

from dormouse import ExecutionFailed, workflow


@workflow
async def child(name: str) -> str:
    return await fetch(name) + await nap(1, name + "2")


@workflow
async def listening_child(name: str) -> str:
    return await fetch(name) + await note.receive()


@workflow
async def failing_child() -> None:
    await refuses()


@workflow
async def parent() -> list[str]:
    said = list(await asyncio.gather(child("x"), child.with_options(id="other")("y")))
    try:
        await failing_child()
    except ExecutionFailed as error:
        said.append(error.cause_type)
    unwanted = asyncio.ensure_future(listening_child.with_options(id="unwanted")("z"))
    await asyncio.sleep(1)
    unwanted.cancel()
    return said


@workflow
async def lets_go() -> str:
    children = [
        listening_child.with_options(id="cancelled", parent_close="cancel")("c"),
        listening_child.with_options(id="terminated", parent_close="terminate")("t"),
        listening_child.with_options(id="abandoned", parent_close="abandon")("a"),
    ]
    await asyncio.wait([asyncio.ensure_future(one) for one in children], timeout=1)
    return await fetch("over")


async def see_what_becomes_of_children(client: Client) -> Any:
    over = await client.end(await client.start(lets_go))
    children = [client.engine.handle(name) for name in ("cancelled", "terminated", "abandoned")]
    await client.signal(children[-1], note, "!", key="to abandoned")
    return [over, *[await client.end(child) for child in children]]


PROGRAMS: dict[str, Program] = {
    "children": Program(just(parent), ["XX2", "YY2", "ActivityError"]),
    "orphans": Program(
        see_what_becomes_of_children,
        ["OVER", "cancelled was cancelled: CancelledError", "terminated was terminated: Terminated", "A!"],
    ),
}
