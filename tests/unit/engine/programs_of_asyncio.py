"""Programs of asyncio: what runs side by side, is waited for, runs out of time, is shared, is shielded."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from lives import world
from programs import Program, just
from programs_of_calls import fetch

from dormouse import RetryPolicy, activity, workflow


@activity(retry=RetryPolicy(initial_seconds=60))
async def never_there() -> str:
    world.feels("")
    raise ConnectionError("no")


@activity
async def endless() -> None:
    world.feels("")
    await asyncio.Event().wait()


async def nap(seconds: float, name: str) -> str:
    await asyncio.sleep(seconds)
    return await fetch(name)


@workflow
async def gathers() -> list[str]:
    return list(await asyncio.gather(nap(2, "a"), nap(1, "b"), fetch("c"), nap(2, "d")))


@workflow
async def waits() -> list[str]:
    running = asyncio.ensure_future(endless())
    await asyncio.wait([running, asyncio.ensure_future(fetch("quick"))], return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    naps = [asyncio.ensure_future(nap(seconds, f"n{seconds}")) for seconds in (3, 1, 2)]
    first, others = await asyncio.wait(naps, return_when=asyncio.FIRST_COMPLETED)
    return [*(one.result() for one in first), *[await one for one in asyncio.as_completed(others)]]


@workflow
async def times_out() -> list[str]:
    said = []
    for name, seconds in (("slow", 100), ("quick", 1)):
        try:
            async with asyncio.timeout(10):
                said.append(await nap(seconds, name))
        except TimeoutError:
            said.append(await fetch(f"no {name}"))
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            said.append(await never_there())
    return said


@workflow
async def groups() -> list[str]:
    said: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(1)
        raise ValueError(await fetch("broken"))

    async def is_cancelled() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            said.append(await fetch("tidied"))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(is_cancelled())
    except* ValueError as errors:
        said.append(str(errors.exceptions[0]))
    return said


@workflow
async def shares() -> list[str]:
    """Two workers take from a queue, one at a time through a lock, until an event says that all is done."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    lock, all_done, said = asyncio.Lock(), asyncio.Event(), []

    async def work() -> None:
        while True:
            name = await queue.get()
            async with lock:
                said.append(await nap(1, name))
            if len(said) == 4:
                all_done.set()

    workers = [asyncio.create_task(work()) for _ in range(2)]
    for name in "abcd":
        queue.put_nowait(name)
    await all_done.wait()
    for worker in workers:
        worker.cancel()
    await asyncio.wait(workers)
    return said


@workflow
async def shields() -> list[str]:
    kept = asyncio.ensure_future(nap(20, "kept"))
    try:
        async with asyncio.timeout(10):
            await asyncio.shield(kept)
    except TimeoutError:
        return ["impatient", await kept]
    return []


PROGRAMS: dict[str, Program] = {
    "gather": Program(just(gathers), ["A", "B", "C", "D"]),
    "wait": Program(just(waits), ["N1", "N2", "N3"]),
    "timeout": Program(just(times_out), ["NO SLOW", "QUICK"]),
    "groups": Program(just(groups), ["TIDIED", "BROKEN"]),
    "shared": Program(just(shares), ["A", "B", "C", "D"]),
    "shield": Program(just(shields), ["impatient", "KEPT"]),
}
