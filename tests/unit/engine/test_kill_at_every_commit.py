"""Does every feature survive a kill at every commit? Each program is driven again on what each commit left behind."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engine_lab import EveryCommit, until

from dormouse import (
    ActivityError,
    Approval,
    DigestMismatch,
    Engine,
    ExecutionCancelled,
    Query,
    RetryPolicy,
    Signal,
    Update,
    Workflow,
    activity,
    activity_info,
    continue_as_new,
    heartbeat,
    patched,
    workflow,
    workflow_info,
)
from dormouse.engine.decision import digest_of

ran: list[str] = []
note = Signal("note", str)
sign = Approval("sign", str)
count = Query("count", int)
add = Update("add", int, int)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@activity
async def fetch(name: str) -> str:
    ran.append(name)
    return name.upper()


@activity(retry=RetryPolicy(initial_seconds=0, attempts=3))
async def resuming(name: str) -> list[str]:
    info = activity_info()
    done: list[str] = info.heartbeat_details or []
    heartbeat([*done, f"{name}{info.attempt}"])
    if info.attempt < 3:
        raise ConnectionError("not yet")
    return done


@activity(retry=RetryPolicy(attempts=1))
async def refuses() -> None:
    raise ValueError("never")


@workflow
async def gathers() -> str:
    return "-".join(await asyncio.gather(*(fetch(name) for name in "abcd")))


@workflow
async def beats() -> list[str]:
    return await resuming("x")


@workflow
async def listens() -> str:
    heard: list[str] = []
    while len(heard) < 3:
        word = await note.receive()
        heard.append(word + await fetch(word))
    return "-".join(heard)


@workflow
async def adds() -> int:
    total, enough = 0, asyncio.Event()

    async def answer(number: int) -> int:
        nonlocal total
        await fetch(f"n{number}")
        total += number
        if total >= 6:
            enough.set()
        return total

    count.answer(lambda: total)
    add.answer(answer)
    await enough.wait()
    return total


@workflow
async def cleans_up() -> str:
    try:
        await fetch("before")
        await note.receive()
    finally:
        await fetch("tidied")
    return "not reached"


@workflow
async def child(name: str) -> str:
    return await fetch(name) + await fetch(name + "2")


@workflow
async def parent() -> str:
    one, other = await asyncio.gather(child("x"), child.with_options(id="other")("y"))
    return one + other


@workflow
async def rounds(number: int = 0) -> str:
    word = await note.receive()
    await fetch(f"{word}{number}")
    if number < 2:
        continue_as_new(number + 1)
    return f"{word} after {workflow_info().history_length} events"


@dataclass
class Booking:
    places: list[str]


@workflow
async def saga(booking: Booking) -> str:
    async with AsyncExitStack() as undo:
        for place in booking.places:
            await fetch(place)
            undo.push_async_callback(fetch, f"undo {place}")
        try:
            await refuses()
        except ActivityError:
            return "undone"
        undo.pop_all()
    return "done"


@workflow
async def changed() -> str:
    return await fetch("new" if patched("newer") else "old")


@workflow
async def naps() -> str:
    async def nap(seconds: float, name: str) -> str:
        await asyncio.sleep(seconds)
        return await fetch(name)

    both = await asyncio.gather(nap(0.02, "a"), nap(0.01, "b"))
    await asyncio.sleep(0.01)
    return "-".join(both)


@workflow
async def asks() -> str:
    first = await sign.request("a letter", within_seconds=86400)
    word = await fetch(first.by)
    second = await sign.request("a letter")
    late = await sign.request("a cheque", within_seconds=0.01)
    return f"{first.outcome}-{word}-{second.outcome}-{late.outcome}"


Drive = Callable[[Engine], Awaitable[Any]]


def just(definition: Workflow[..., Any], *arguments: Any) -> Drive:
    async def drive(engine: Engine) -> Any:
        return await (await engine.start(definition.name, *arguments, id="main")).result()

    return drive


async def tell_three(engine: Engine) -> Any:
    handle = await engine.start(listens, id="main")
    for number, word in enumerate(["a", "b", "c"]):
        await handle.signal(note, word, idempotency_key=str(number))
    return await handle.result()


async def add_three(engine: Engine) -> Any:
    handle = await engine.start(adds, id="main")
    totals = [await handle.update(add, number, idempotency_key=f"k{number}") for number in (1, 2, 3)]
    assert await handle.query(count) == 6
    return totals, await handle.result()


async def cancel_it(engine: Engine) -> Any:
    handle = await engine.start(cleans_up, id="main")
    await until(lambda: engine.standing().waiting == 1 or engine.read.describe("main").status.closed)
    await handle.cancel()
    try:
        return await handle.result()
    except ExecutionCancelled as cancelled:
        return str(cancelled)


async def tell_rounds(engine: Engine) -> Any:
    handle = await engine.start(rounds, id="main")
    for word in ("a", "b", "c"):
        await handle.signal(note, word, idempotency_key=word)
    return await handle.result()


async def decide_twice(engine: Engine) -> Any:
    handle = await engine.start(asks, id="main")
    for command, decide in ((1, handle.approve), (3, handle.reject)):
        digest = digest_of("main", command, "sign", b'"a letter"')
        for _ in range(2):  # sent again
            await until_asked(partial(decide, sign, digest, by="ada"))
    return await handle.result()


async def until_asked(decide: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await decide()
            except DigestMismatch:
                await asyncio.sleep(0.001)


ALL: list[Workflow[..., Any]] = [
    gathers, beats, listens, adds, cleans_up, child, parent, rounds, saga, changed, naps, asks,
]  # fmt: skip
PROGRAMS: dict[str, Drive] = {
    "gather": just(gathers),
    "heartbeats": just(beats),
    "signals": tell_three,
    "updates": add_three,
    "cancellation": cancel_it,
    "children": just(parent),
    "continue as new": tell_rounds,
    "compensation": just(saga, Booking(["rome", "oslo"])),
    "patches": just(changed),
    "timers": just(naps),
    "approvals": decide_twice,
}


def recorded(path: Path) -> set[str]:
    """Arguments of the calls of `fetch` whose results are in the file."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT scheduled.payload FROM event AS scheduled JOIN event AS completed USING (execution, command) "
            "WHERE scheduled.name = 'fetch' AND completed.kind = 'ActivityCompleted'"
        ).fetchall()
    finally:
        connection.close()
    return {payload.decode()[2:-2] for (payload,) in rows}


resting_in_memory = 256


def live(path: Path, drive: Drive, durability: EveryCommit | None = None) -> Any:
    async def run() -> Any:
        async with Engine(path, ALL, durability=durability, resting_in_memory=resting_in_memory) as engine:
            return await drive(engine)

    return asyncio.run(run())


@pytest.fixture(params=["in memory", "only in the file"])
def what_waits_is(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "only in the file":
        monkeypatch.setattr("dormouse.engine.dormancy._LONG_SECONDS", 0)
        monkeypatch.setitem(globals(), "resting_in_memory", 0)


@pytest.mark.usefixtures("what_waits_is")
@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_after_any_commit_it_ends_the_same(tmp_path: Path, name: str) -> None:
    drive = PROGRAMS[name]
    database = tmp_path / "db.sqlite"
    commits = EveryCommit(database, tmp_path)
    expected = live(database, drive, commits)
    assert len(ran) == len(set(ran))
    assert len(commits.copies) > 2
    for copy in commits.copies:
        before = recorded(copy)
        ran.clear()
        assert live(copy, drive) == expected
        assert not before & set(ran)


@pytest.mark.parametrize("name", ["gather", "updates", "children", "timers"])
def test_killed_while_the_code_runs_it_ends_the_same(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with many executions: of what has happened the code hears one after the other, the last being written."""
    monkeypatch.setattr("dormouse.engine.turns.told_first", lambda *_: 1)
    test_killed_after_any_commit_it_ends_the_same(tmp_path, name)


@pytest.mark.usefixtures("what_waits_is")
@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_twice_it_ends_the_same(tmp_path: Path, name: str) -> None:
    drive = PROGRAMS[name]
    database = tmp_path / "db.sqlite"
    commits = EveryCommit(database, tmp_path)
    expected = live(database, drive, commits)
    for number, copy in enumerate(commits.copies[1::2]):
        folder = tmp_path / str(number)
        folder.mkdir()
        again = EveryCommit(copy, folder)
        assert live(copy, drive, again) == expected
        for second in again.copies[::2]:
            assert live(second, drive) == expected


@pytest.mark.usefixtures("what_waits_is")
def test_what_the_programs_come_to(tmp_path: Path) -> None:
    """The undisturbed results, so that the other tests do not compare one mistake with another."""
    results = {}
    for name, drive in PROGRAMS.items():
        results[name] = live(tmp_path / f"{name}.sqlite", drive)
    assert results == {
        "gather": "A-B-C-D",
        "heartbeats": ["x1", "x2"],
        "signals": "aA-bB-cC",
        "updates": ([1, 3, 6], 6),
        "cancellation": "execution 'main' was cancelled: CancelledError: it was cancelled",
        "children": "XX2YY2",
        "continue as new": "c after 4 events",
        "compensation": "undone",
        "patches": "NEW",
        "timers": "A-B",
        "approvals": "approved-ADA-rejected-expired",
    }
