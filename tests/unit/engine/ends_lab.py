"""Workflows that are ended from outside and retried, and how tests live with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from engine_lab import until

from dormouse import (
    ActivityError,
    Engine,
    Handle,
    RetryPolicy,
    Signal,
    activity,
    workflow,
)

ran: list[str] = []
broken: set[str] = set()
note = Signal("note", str)


def nothing_ran() -> None:
    ran.clear()
    broken.clear()


@activity(retry=RetryPolicy(attempts=1))
async def step(name: str) -> str:
    ran.append(name)
    if name in broken:
        raise ConnectionError(f"{name} is broken")
    return name


@activity
async def endless() -> None:
    ran.append("endless")
    await asyncio.Event().wait()


@workflow
async def waits() -> str:
    try:
        await endless()
    finally:
        await step("tidied")
    return "not reached"


@workflow
async def defies() -> str:
    try:
        await endless()
    except asyncio.CancelledError:
        return await asyncio.shield(step("finished anyway"))
    return "not reached"


@workflow
async def three_steps() -> str:
    first = await step("first")
    return "-".join([first, await step("second"), await step("third")])


@workflow
async def compensates() -> str:
    await step("booked")
    try:
        await step("paid")
    except ActivityError:
        await step("unbooked")
        raise
    return await step("shipped")


@workflow
async def heeds() -> str:
    try:
        await step("first")
    except ActivityError:
        await note.receive()
        raise
    return await note.receive()


ALL = [waits, defies, three_steps, compensates, heeds]


def drive(path: Path, use: Callable[[Engine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", ALL) as engine:
            return await use(engine)

    return asyncio.run(run())


async def started(engine: Engine, name: str) -> Handle[Any]:
    handle = await engine.start(name, id="one")
    await until(lambda: "endless" in ran)
    return handle
