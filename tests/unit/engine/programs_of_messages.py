"""Programs of messages: signals, queries, updates, approvals, and who continues as new between them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from lives import Client
from programs import Program
from programs_of_calls import fetch

from dormouse import (
    Approval,
    Decision,
    Query,
    Signal,
    Update,
    continue_as_new,
    now,
    workflow,
    workflow_info,
)

note = Signal("note", str)
bell = Signal("bell")
sign = Approval("sign", str)
count = Query("count", int)
add = Update("add", int, int)


@workflow
async def rounds(number: int = 0) -> str:
    word = await note.receive()
    await fetch(f"{word}{number}")
    if number < 2 and not workflow_info().should_continue_as_new:
        continue_as_new(number + 1)
    return f"{word} after {workflow_info().history_length} events"


@workflow
async def listens() -> list[str]:
    heard: list[str] = []
    while len(heard) < 3:
        word = await note.receive()
        heard.append(word + await fetch(word))
    await bell.receive()
    return heard


def small(number: int) -> None:
    if number > 100:
        raise ValueError("too much")


@workflow
async def adds() -> int:
    total, enough = 0, asyncio.Event()

    async def answer(number: int) -> int:
        nonlocal total
        await fetch(f"n{number}")
        if number < 0:
            raise ValueError("less")
        total += number
        if total >= 6:
            enough.set()
        return total

    count.answer(lambda: total)
    add.answer(answer, check=small)
    await enough.wait()
    return total


@workflow
async def asks() -> list[str]:
    def told(decision: Decision) -> str:
        assert decision.at <= now()
        return f"{decision.outcome} by {decision.by}: {decision.reason}" if decision.by else decision.outcome

    said = [told(await sign.request("a letter", within_seconds=86400))]
    said.append(await fetch("sent") + told(await sign.request("a letter")))
    said.append(told(await sign.request("a cheque", within_seconds=60)))
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            await sign.request("withdrawn")
    return said


async def tell_rounds(client: Client) -> Any:
    handle = await client.start(rounds)
    for word in ("a", "b", "c"):
        await client.signal(handle, note, word, key=f"note {word}")
    return await client.end(handle)


async def tell_three(client: Client) -> Any:
    handle = await client.start(listens)
    for word in ("a", "b", "c"):
        await client.signal(handle, note, word, key=f"note {word}")
    await client.signal(handle, bell, None, key="bell")
    return await client.end(handle)


async def add_three(client: Client) -> Any:
    handle = await client.start(adds)
    said = [await client.update(handle, add, number, key=f"add {number}") for number in (1, 2, 1000, -1, 3)]
    return said, await client.end(handle), await client.query(handle, count)


async def decide_twice(client: Client) -> Any:
    handle = await client.start(asks)

    async def digest() -> str:
        await client.nothing_goes_on()
        (asked,) = await handle.approvals()
        assert sign.decode(asked.value) == "a letter"
        return asked.digest

    first = await client.once("first digest", digest)
    await client.once("approved", lambda: handle.approve(sign, first, by="ada", reason="why not"))
    second = await client.once("second digest", digest)
    await client.once("rejected", lambda: handle.reject(sign, second, by="grace"))
    came_to = await client.end(handle)
    shown, events = await handle.show(), await handle.history()
    assert (shown.status, events[-1].kind) == ("Completed", "ExecutionCompleted")
    return came_to


PROGRAMS: dict[str, Program] = {
    "continue as new": Program(tell_rounds, "c after 4 events"),
    "signals": Program(tell_three, ["aA", "bB", "cC"]),
    "updates": Program(add_three, ([1, 3, "InvalidInput", "AnswerFailed", 6], 6, 6)),
    "approvals": Program(decide_twice, ["approved by ada: why not", "SENTrejected by grace: ", "expired"]),
}
