"""When does a workflow hear of what has happened, and in which order? Once it counts, and in a replay the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from engine_lab import until
from execution_lab import Run, let_all_go, replayed_at_every_event, work
from hypothesis import given
from hypothesis import strategies as st

from dormouse import (
    ActivityError,
    Engine,
    ExecutionCancelled,
    RetryPolicy,
    Signal,
    Update,
    activity,
    continue_as_new,
    workflow,
    workflow_info,
)
from dormouse.engine.durability import LocalOnly
from dormouse.engine.journal import Kind

note = Signal("note", str)
add = Update("add", str, int)


@pytest.fixture(autouse=True)
def everything_ends() -> Iterator[None]:
    yield
    let_all_go()


class Committed(LocalOnly):
    """Knows which kinds of events the file held after the last commit."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.path = Path()
        self.commits = 0

    async def before_commit(self) -> None:
        self.commits += 1

    async def after_commit(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            self.kinds = Counter(kind for (kind,) in connection.execute("SELECT kind FROM event"))


committed = Committed()


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Path:
    committed.kinds.clear()
    committed.commits = 0
    committed.path = tmp_path / "db.sqlite"
    return committed.path


def heard(kind: Kind, times: int = 1) -> None:
    """The line after something happened: the file must have it."""
    assert committed.kinds[kind] >= times, f"{kind} is not in the file yet"


@activity
async def step(name: str) -> str:
    return name


@activity(retry=RetryPolicy(attempts=1))
async def refuses() -> None:
    raise ValueError("never")


@workflow
async def child() -> str:
    return await step("in the child")


@workflow
async def everything(run: int = 0) -> str:
    heard(Kind.EXECUTION_CONTINUED if run else Kind.EXECUTION_STARTED)
    total = 0

    def answer(word: str) -> int:
        nonlocal total
        heard(Kind.UPDATE_ACCEPTED)
        total += len(word)
        return total

    add.answer(answer)
    await step("one")
    heard(Kind.ACTIVITY_COMPLETED)
    if not run:
        continue_as_new(1)
    with pytest.raises(ActivityError):
        await refuses()
    heard(Kind.ACTIVITY_FAILED)
    await asyncio.sleep(0.001)
    heard(Kind.TIMER_FIRED)
    await child()
    heard(Kind.CHILD_COMPLETED)
    await note.receive()
    heard(Kind.SIGNAL_RECEIVED)
    try:
        await asyncio.Event().wait()
    finally:
        heard(Kind.CANCEL_REQUESTED)
    return "not reached"


def test_the_line_after_anything_runs_once_the_file_has_it(database: Path) -> None:
    async def run() -> None:
        async with Engine(database, [everything, child], durability=committed) as engine:
            handle = await engine.start(everything)
            await until(lambda: committed.kinds[Kind.CHILD_COMPLETED])
            assert await handle.update(add, "four") == 4
            await handle.signal(note, "a note")
            await handle.cancel()
            with pytest.raises(ExecutionCancelled):
                await handle.result()

    asyncio.run(run())


def test_one_commit_a_step(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse.engine.turns._SECONDS_UNTIL_WRITTEN", 3600)

    @workflow
    async def ten() -> None:
        for number in range(10):
            await step(str(number))

    async def run() -> None:
        async with Engine(database, [ten], durability=committed) as engine:
            await (await engine.start(ten)).result()

    asyncio.run(run())
    assert committed.commits == 1 + 10 + 1  # the start, the steps, the end


def test_a_call_that_takes_long_is_written_before_it_ends(database: Path) -> None:
    ends = asyncio.Event()

    @activity
    async def long() -> None:
        await ends.wait()

    @workflow
    async def waits_long() -> None:
        await step("first")
        await long()

    async def run() -> None:
        async with Engine(database, [waits_long]) as engine:
            handle = await engine.start(waits_long, id="one")
            await until(lambda: [event.name for event in engine.read.history("one")][-1] == "long")
            ends.set()
            await handle.result()

    asyncio.run(run())


@workflow
async def first_of_three() -> str:
    """What is not needed any more is cancelled, though its result may have come together with the first."""
    tasks = [asyncio.ensure_future(work(what)) for what in "abc"]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for one in others:
        one.cancel()
    length = workflow_info().history_length
    return await work(f"after {len(done)} at {length}")


@workflow
async def told_and_asked() -> list[str]:
    """Signals, updates and results, which come in any order and together."""
    words: list[str] = []

    async def answer(word: str) -> int:
        words.append(await work(f"answer to {word} at {workflow_info().history_length}"))
        return len(words)

    async def listen() -> None:
        while True:
            words.append(await note.receive())
            await work(f"note {len(words)}")

    add.answer(answer)
    listening = asyncio.create_task(listen())
    try:
        while len(words) < 4:
            words.append(await work(f"round {len(words)} at {workflow_info().history_length}"))
    finally:
        listening.cancel()
    return words


def play(run: Run, choices: list[int]) -> None:
    """Let something happen, in groups that share a transaction."""
    for choice in choices:
        with run.at_once():
            for number in range(choice % 3 + 1):
                happen(run, choice // 3 + number)


def happen(run: Run, choice: int) -> None:
    if run.execution.status.closed:
        return
    open_calls = run.open_calls
    if choice % 4 == 0:
        run.signal("note", str(choice))
    elif choice % 4 == 1 and "add" in run.execution.mailbox.update_answers and not run.execution.has_unheard_update:
        run.update("add", f"{choice} {run.now}")
    elif open_calls:
        what = open_calls[choice % len(open_calls)]
        if choice % 7 == 6:
            run.fail(what)
        else:
            run.complete(what)


@given(st.lists(st.integers(0, 200), max_size=12))
def test_whatever_comes_together_a_replay_takes_the_same_way(choices: list[int]) -> None:
    for definition in (first_of_three, told_and_asked):
        run = Run(definition)
        play(run, choices)
        assert run.execution.blocked is None
        replayed_at_every_event(run, definition)
        let_all_go()


def test_a_result_that_came_together_with_the_one_that_cancels_it_does_not_count() -> None:
    run = Run(first_of_three)
    with run.at_once():
        for what in "abc":
            run.complete(what)
    assert run.asked[-1] == 'ActivityScheduled ["after 1 at 7"]'
    assert [event.kind for event in run.log].count(Kind.ACTIVITY_CANCELLED) == 2
    replayed_at_every_event(run, first_of_three)


@workflow
async def hears_one_note(run: int = 0) -> str:
    word = await note.receive()
    if run == 0:
        continue_as_new(1)
    return word


def test_what_came_after_the_end_of_a_run_is_heard_by_the_next() -> None:
    run = Run(hears_one_note)
    with run.at_once():
        run.signal("note", "first")
        run.signal("note", "second")
    assert run.result == '"second"'


def test_what_came_after_the_end_of_a_run_is_heard_by_the_next_life() -> None:
    """Killed before the next run was written."""
    run = Run(hears_one_note)
    with run.at_once():
        run.signal("note", "first")
        run.signal("note", "second")
    ends = [event.kind for event in run.log].index(Kind.EXECUTION_CONTINUED)
    again = Run(hears_one_note, run.log[:ends])
    assert again.execution.blocked is None
    assert again.result == '"second"'


def test_a_cancellation_that_came_after_the_end_of_a_run_reaches_the_next() -> None:
    run = Run(hears_one_note)
    with run.at_once():
        run.signal("note", "first")
        run.cancel()
    assert run.log[-1].kind == Kind.EXECUTION_CANCELLED


def test_the_check_of_an_update_sees_what_the_earlier_ones_have_done(database: Path) -> None:
    seats = 1

    def is_free(_: str) -> None:
        if not seats:
            raise ValueError("no seat is free")

    @workflow
    async def booking() -> None:
        def answer(_: str) -> int:
            nonlocal seats
            seats -= 1
            return seats

        add.answer(answer, check=is_free)
        await note.receive()

    async def run() -> list[object]:
        async with Engine(database, [booking]) as engine:
            handle = await engine.start(booking)
            both = (handle.update(add, name) for name in ("a", "b"))
            return list(await asyncio.gather(*both, return_exceptions=True))

    first, second = asyncio.run(run())
    assert first == 0
    assert "no seat is free" in str(second)
