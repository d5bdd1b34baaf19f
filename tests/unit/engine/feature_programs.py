"""Which program uses which feature? Small workflows, their clients, and what they come to undisturbed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from lives import Client, Drive, world

from dormouse import (
    ActivityError,
    Approval,
    Decision,
    ExecutionFailed,
    Query,
    RetryAfter,
    RetryPolicy,
    Signal,
    Update,
    Workflow,
    activity,
    activity_info,
    continue_as_new,
    heartbeat,
    now,
    patched,
    random,
    transaction,
    uuid4,
    workflow,
    workflow_info,
)

note = Signal("note", str)
bell = Signal("bell")
sign = Approval("sign", str)
count = Query("count", int)
add = Update("add", int, int)


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


@activity(retry=RetryPolicy(initial_seconds=60))
async def never_there() -> str:
    world.feels("")
    raise ConnectionError("no")


@activity
async def endless() -> None:
    world.feels("")
    await asyncio.Event().wait()


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


# asyncio.


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


# Time, chance, changes of the code, long lives.


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
async def rounds(number: int = 0) -> str:
    word = await note.receive()
    await fetch(f"{word}{number}")
    if number < 2 and not workflow_info().should_continue_as_new:
        continue_as_new(number + 1)
    return f"{word} after {workflow_info().history_length} events"


# Messages.


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


# Ends from outside, and what undoes.


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


# Workflows that call others.


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


# What their clients do.


def just(definition: Workflow[..., Any], *value: Any) -> Drive:
    async def drive(client: Client) -> Any:
        return await client.end(await client.start(definition, *value))

    return drive


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
        return asked.digest

    first = await client.once("first digest", digest)
    await client.once("approved", lambda: handle.approve(sign, first, by="ada", reason="why not"))
    second = await client.once("second digest", digest)
    await client.once("rejected", lambda: handle.reject(sign, second, by="grace"))
    came_to = await client.end(handle)
    shown, events = await handle.show(), await handle.history()
    assert (shown.status, events[-1].kind) == ("Completed", "ExecutionCompleted")
    return came_to


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


async def tell_rounds(client: Client) -> Any:
    handle = await client.start(rounds)
    for word in ("a", "b", "c"):
        await client.signal(handle, note, word, key=f"note {word}")
    return await client.end(handle)


async def see_what_becomes_of_children(client: Client) -> Any:
    over = await client.end(await client.start(lets_go))
    children = [client.engine.handle(name) for name in ("cancelled", "terminated", "abandoned")]
    await client.signal(children[-1], note, "!", key="to abandoned")
    return [over, *[await client.end(child) for child in children]]


@dataclass(frozen=True)
class Program:
    """A client's script.

    Attributes:
        drive: what the client does; it may be run again from its start in a later life.
        result: what it comes to.
        draws: whether its calls have arguments by chance.
    """

    drive: Drive
    result: Any
    draws: bool = False


PROGRAMS: dict[str, Program] = {
    "activities": Program(just(calls), ["A", 9, "B"]),
    "transactions": Program(just(books_into_table), [1, "HOTEL", 2, 3, 4, 5, 6]),
    "retries": Program(just(tries_again), ["bank at last", "ValueError after 2"]),
    "limits": Program(just(is_bounded), ["in time", "TimeoutError after 3"]),
    "heartbeats": Program(just(beats), [0, 1, 2, 3]),
    "gather": Program(just(gathers), ["A", "B", "C", "D"]),
    "wait": Program(just(waits), ["N1", "N2", "N3"]),
    "timeout": Program(just(times_out), ["NO SLOW", "QUICK"]),
    "groups": Program(just(groups), ["TIDIED", "BROKEN"]),
    "shared": Program(just(shares), ["A", "B", "C", "D"]),
    "shield": Program(just(shields), ["impatient", "KEPT"]),
    "chance": Program(just(draws), True, draws=True),
    "patches": Program(just(changed), ["BEFORE", "NEW"]),
    "continue as new": Program(tell_rounds, "c after 4 events"),
    "signals": Program(tell_three, ["aA", "bB", "cC"]),
    "updates": Program(add_three, ([1, 3, "InvalidInput", "AnswerFailed", 6], 6, 6)),
    "approvals": Program(decide_twice, ["approved by ada: why not", "SENTrejected by grace: ", "expired"]),
    "large values": Program(just(talks), [2002, 2002, 2002, 2002]),
    "cancellation": Program(cancel_it, "main was cancelled: CancelledError"),
    "termination": Program(terminate_it, "main was terminated: Terminated"),
    "compensation": Program(just(books, ["rome", "oslo"]), "undone"),
    "retried": Program(retry_it, ("main failed: ActivityError", ["ONCE", "paid", "AFTER"])),
    "children": Program(just(parent), ["XX2", "YY2", "ActivityError"]),
    "orphans": Program(
        see_what_becomes_of_children,
        ["OVER", "cancelled was cancelled: CancelledError", "terminated was terminated: Terminated", "A!"],
    ),
}
WORKFLOWS = [one for one in list(globals().values()) if isinstance(one, Workflow)]
