"""What if other hands are on it: another thread or loop, a fork, an activity, or whoever moves the file?"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dormouse import (
    ActivityError,
    Engine,
    EngineStopped,
    NotInWorkflow,
    RetryPolicy,
    Signal,
    activity,
    workflow,
)

go = Signal("go")
events: list[asyncio.Event] = []


@activity(retry=RetryPolicy(attempts=1))
async def sets_it() -> None:
    events[-1].set()


@activity(retry=RetryPolicy(attempts=1))
def sets_it_from_a_thread() -> None:
    events[-1].set()


@workflow
async def lends_its_event() -> list[str]:
    told = []
    for touch in (sets_it, sets_it_from_a_thread):
        events.append(asyncio.Event())
        waiting = asyncio.ensure_future(events[-1].wait())
        try:
            await touch()
        except ActivityError as error:
            told.append(error.cause_type)
        waiting.cancel()
    return told


@workflow
async def waits() -> str:
    await go.receive()
    return "gone"


@activity
async def step(number: int) -> int:
    return number


@workflow
async def many(count: int) -> int:
    return sum(await asyncio.gather(*(step(number) for number in range(count))))


def test_an_activity_cannot_wake_a_workflow_behind_its_logs_back(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with Engine(tmp_path / "db.sqlite", [lends_its_event]) as engine:
            return await (await engine.start(lends_its_event)).result()

    assert asyncio.run(run()) == ["NotInWorkflow", "NotInWorkflow"]


def test_another_loop_is_told_how_to_ask(tmp_path: Path) -> None:
    told: list[str] = []

    async def run() -> str:
        async with Engine(tmp_path / "db.sqlite", [waits]) as engine:
            handle = await engine.start(waits)

            def elsewhere(ask: Callable[[], Coroutine[Any, Any, Any]]) -> None:
                with pytest.raises(NotInWorkflow) as refusal:
                    asyncio.run(ask())
                told.append(str(refusal.value))

            for ask in (lambda: engine.start(waits), lambda: handle.signal(go), handle.result, handle.show):
                await asyncio.to_thread(elsewhere, ask)
            loop = asyncio.get_running_loop()

            def rightly() -> None:
                asyncio.run_coroutine_threadsafe(handle.signal(go), loop).result(20)

            await asyncio.to_thread(rightly)
            return await handle.result()

    assert asyncio.run(run()) == "gone"
    assert len(told) == 4
    assert all("run_coroutine_threadsafe" in one for one in told)


def test_an_engine_that_was_not_entered_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineStopped, match="async with"):
        asyncio.run(Engine(tmp_path / "db.sqlite", [waits]).start(waits))


def test_a_workflow_cannot_use_the_engine(tmp_path: Path) -> None:
    engines: list[Engine] = []

    @workflow
    async def asks() -> str:
        try:
            await engines[0].start(waits)
        except NotInWorkflow as error:
            return str(error)
        return "nothing"

    async def run() -> str:
        async with Engine(tmp_path / "db.sqlite", [asks, waits]) as engine:
            engines.append(engine)
            return await (await engine.start(asks)).result()

    assert "a workflow must not use the engine itself" in asyncio.run(run())


def test_ten_thousand_calls_at_once_all_end(tmp_path: Path) -> None:
    async def run() -> int:
        async with Engine(tmp_path / "db.sqlite", [many]) as engine:
            return await (await engine.start(many, 10_000)).result()

    assert asyncio.run(run()) == sum(range(10_000))


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Engine]:
    """An engine with one execution that waits."""
    async with Engine(path, [waits]) as engine:
        await engine.start(waits, id="one")
        yield engine


@pytest.mark.parametrize("lost", ["db.sqlite", "db.sqlite-wal"])
@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_nothing_is_acknowledged_once_the_file_is_somewhere_else(tmp_path: Path, lost: str, how: str) -> None:
    path = tmp_path / "db.sqlite"

    async def run() -> None:
        async with running(path) as engine:
            (tmp_path / lost).rename(tmp_path / "elsewhere")
            if how == "removed":
                (tmp_path / "elsewhere").unlink()
            elif how == "replaced":
                (tmp_path / lost).touch()
            with pytest.raises(EngineStopped, match=f"{lost} was moved, removed or replaced"):
                await engine.handle("one").signal(go)

    asyncio.run(run())


def test_a_file_that_is_brought_back_goes_on_where_it_was(tmp_path: Path) -> None:
    path, aside = tmp_path / "db.sqlite", tmp_path / "aside"
    aside.mkdir()

    async def run() -> str:
        async with running(path) as engine:
            for one in [*tmp_path.glob("db.sqlite*")]:
                one.rename(aside / one.name)
            with pytest.raises(EngineStopped):
                await engine.handle("one").signal(go, idempotency_key="go")
        async with Engine(aside / path.name, [waits]) as engine:
            handle = engine.handle("one")
            await handle.signal(go, idempotency_key="go")
            return str(await handle.result())

    assert asyncio.run(run()) == "gone"


def test_a_fork_does_not_keep_the_lock_of_an_engine_that_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    read, write = os.pipe()

    async def run() -> None:
        async with running(path):
            with warnings.catch_warnings(action="ignore"):  # of the threads that the child does without
                child = os.fork()
            if not child:
                os.close(write)
                os.read(read, 1)  # until its parent has closed the pipe
                os._exit(0)
            children.append(child)
        async with running(path):
            pass

    children: list[int] = []
    try:
        asyncio.run(run())
    finally:
        os.close(write)
        os.close(read)
        for child in children:
            os.waitpid(child, 0)


def test_a_workflow_that_never_waits_is_reported_with_its_line(tmp_path: Path) -> None:
    seen = threading.Event()

    class Hears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())
            seen.set()

    messages: list[str] = []

    @workflow
    async def goes_round() -> str:
        await go.receive()
        while not seen.is_set():
            pass
        return "let go"

    async def run() -> str:
        async with Engine(tmp_path / "db.sqlite", [goes_round], blocked_loop_seconds=0.05) as engine:
            handle = await engine.start(goes_round)
            await handle.signal(go)
            return await handle.result()

    handler = Hears()
    logging.getLogger("dormouse.loop").addHandler(handler)
    try:
        assert asyncio.run(run()) == "let go"
    finally:
        logging.getLogger("dormouse.loop").removeHandler(handler)
    assert "test_outside_hands.py" in messages[0]
    assert "goes_round" in messages[0]
