"""Programs of calls: transactions, activities with their retries and limits, values that are kept in parts."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from lives import world
from programs import Program, just

from dormouse import (
    ActivityError,
    RetryAfter,
    RetryPolicy,
    activity,
    activity_info,
    heartbeat,
    transaction,
    workflow,
)

# Transactions: what they write is committed with their result, so they count right.


@transaction(retry=RetryPolicy(initial_seconds=1, attempts=3))
def book_into_table(tables: sqlite3.Connection, place: str) -> int:
    world.feels(place)
    tables.execute("CREATE TABLE IF NOT EXISTS booked (place TEXT)")
    tables.execute("INSERT INTO booked VALUES (?)", (place,))
    if place == "full" and activity_info().attempt < 3:
        raise ValueError("no room, yet")
    (count,) = tables.execute("SELECT count(*) FROM booked").fetchone()
    return int(count)


@workflow
async def books_into_table() -> list[Any]:
    first = await book_into_table("rome")
    name = await fetch("hotel")
    rest = await asyncio.gather(*(book_into_table(place) for place in ("oslo", "bern", "riga")))
    return [first, name, *rest, await book_into_table("full"), await book_into_table("bonn")]


# Activities: async or not, retries, limits, heartbeats.


@activity
async def fetch(name: str) -> str:
    world.feels(name)
    return name.upper()


@activity
def compute(number: int) -> int:
    world.feels(number)
    return number * number


@activity(retry=RetryPolicy(initial_seconds=10, factor=3, maximum_seconds=20, attempts=4, jitter=0.5))
def shaky(name: str) -> str:
    world.feels(name)
    if activity_info().attempt < 4:
        raise ConnectionError("not yet")
    return f"{name} at last"


@activity(retry=RetryPolicy(non_retryable=(ValueError,)))
async def strict(name: str) -> str:
    world.feels(name)
    if activity_info().attempt == 1:
        raise RetryAfter(5, "busy")
    raise ValueError(name)


@activity(start_to_close_seconds=0.02, retry=RetryPolicy(initial_seconds=0))
async def hangs_once() -> str:
    world.feels("")
    if activity_info().attempt == 1:
        await asyncio.Event().wait()
    return "in time"


@activity(schedule_to_close_seconds=150, retry=RetryPolicy(initial_seconds=60))
async def never_in_time() -> None:
    world.feels("")
    raise ConnectionError("no")


@activity(heartbeat_seconds=60, retry=RetryPolicy(initial_seconds=1, attempts=8))
def row_by_row(rows: int) -> list[int]:
    """One row an attempt: it comes to its end only if the next one knows how far the last one was."""
    world.feels(rows)
    done: list[int] = activity_info().heartbeat_details or []
    if len(done) == rows:
        return done
    heartbeat([*done, len(done)])
    raise ConnectionError("the table went away")


@workflow
async def calls() -> list[Any]:
    return [await fetch("a"), await compute(3), await fetch.with_options(start_to_close_seconds=60)("b")]


@workflow
async def tries_again() -> list[str]:
    said = [await shaky("bank")]
    try:
        await strict("wrong")
    except ActivityError as error:
        said.append(f"{error.cause_type} after {error.attempts}")
    return said


@workflow
async def is_bounded() -> list[str]:
    said = [await hangs_once()]
    try:
        await never_in_time()
    except ActivityError as error:
        said.append(f"{error.cause_type} after {error.attempts}")
    return said


@workflow
async def beats() -> list[int]:
    return await row_by_row(4)


# Values that are kept in parts.


@activity
async def answer(conversation: list[str]) -> str:
    world.feels(len(conversation))
    return f"{len(conversation)} " + "and so on " * 200


@workflow
async def talks() -> list[int]:
    """Sends all that was said with each call, as agents do."""
    conversation: list[str] = []
    for _ in range(4):
        conversation.append(await answer(conversation))
    return [len(each) for each in conversation]


PROGRAMS: dict[str, Program] = {
    "activities": Program(just(calls), ["A", 9, "B"]),
    "transactions": Program(just(books_into_table), [1, "HOTEL", 2, 3, 4, 5, 6]),
    "retries": Program(just(tries_again), ["bank at last", "ValueError after 2"]),
    "limits": Program(just(is_bounded), ["in time", "TimeoutError after 3"]),
    "heartbeats": Program(just(beats), [0, 1, 2, 3]),
    "large values": Program(just(talks), [2002, 2002, 2002, 2002]),
}
