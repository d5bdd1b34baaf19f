"""Does one workflow's code, or one activity, ever bring down more than itself, whatever it raises?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lives import Life, live, world

from dormouse import (
    ActivityError,
    AnswerFailed,
    Engine,
    ExecutionBlocked,
    ExecutionFailed,
    InvalidInput,
    Query,
    RetryPolicy,
    Signal,
    Update,
    activity,
    continue_as_new,
    workflow,
)
from dormouse.testing import NotReplayed, replay

once = RetryPolicy(attempts=1)
leave = Signal("leave")
add = Update("add", int, int)
look = Query("look", int)


class Bare(BaseException):
    pass


class Unsayable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class EndsTheProcess(Exception):
    def __str__(self) -> str:
        raise SystemExit(9)


class Unbuildable(Exception):
    def __init__(self, one: int, *, other: int) -> None:
        super().__init__("made of two")
        self.one, self.other = one, other


class SaysNotWhen(Exception):
    @property
    def retry_after(self) -> float:
        raise KeyError("when")


def in_a_circle() -> BaseException:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    return one


def of_many_causes() -> BaseException:
    error = ValueError("the first")
    for _ in range(3000):
        error, error.__cause__ = ValueError("one more"), error
    return error


def of_many_groups() -> BaseException:
    error: Exception = ValueError("the first")
    for _ in range(2000):
        error = ExceptionGroup("more", [error])
    return error


RAISED: dict[str, Callable[[], BaseException]] = {
    "exit": lambda: SystemExit(3),
    "keyboard": KeyboardInterrupt,
    "bare": lambda: Bare("bare"),
    "generator": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "stop": StopIteration,
    "group": lambda: BaseExceptionGroup("both", [SystemExit(3), KeyboardInterrupt()]),
    "unsayable": Unsayable,
    "ends the process": EndsTheProcess,
    "unbuildable": lambda: Unbuildable(1, other=2),
    "says not when": SaysNotWhen,
    "surrogate": lambda: ValueError("half \ud800"),
    "circle": in_a_circle,
    "many causes": of_many_causes,
    "many groups": of_many_groups,
}


def made(what: str) -> BaseException:
    return RAISED[what]()


@activity(retry=once)
async def raises(what: str) -> None:
    raise made(what)


@activity(retry=once)
def raises_in_a_thread(what: str) -> None:
    raise made(what)


@workflow
async def tells_of_both(what: str) -> list[str]:
    told = []
    for one in (raises, raises_in_a_thread):
        try:
            await one(what)
        except ActivityError as error:
            told.append(error.cause_type)
    return told


@workflow
async def fails(what: str) -> None:
    raise made(what)


@workflow
async def fine() -> str:
    return "fine"


async def ends(engine: Engine, what: str) -> str:
    """How a workflow that raises this ends."""
    handle = await engine.start(fails, what, id=f"fails {what}".replace(" ", "-"))
    try:
        await handle.result()
    except (ExecutionFailed, ExecutionBlocked) as error:
        return error.cause_type if isinstance(error, ExecutionFailed) else "blocked"
    return "nothing"


def test_whatever_an_activity_raises_is_a_failed_attempt(tmp_path: Path) -> None:
    async def run() -> dict[str, list[str]]:
        async with Engine(tmp_path / "db.sqlite", [tells_of_both]) as engine:
            handles = {what: await engine.start(tells_of_both, what) for what in RAISED}
            return {what: await handle.result() for what, handle in handles.items()}

    told = asyncio.run(run())
    assert told.pop("stop") == ["RuntimeError", "RuntimeError"]
    assert told.pop("generator") == ["GeneratorExit", "RuntimeError"]
    assert told == {what: 2 * [type(RAISED[what]()).__name__] for what in told}


def test_whatever_a_workflow_raises_is_its_own_failure_and_others_go_on(tmp_path: Path) -> None:
    async def life() -> tuple[dict[str, str], str]:
        async with Engine(tmp_path / "db.sqlite", [fails, fine]) as engine:
            ended = {what: await ends(engine, what) for what in RAISED}
            return ended, await (await engine.start(fine, id="fine")).result()

    ended, other = asyncio.run(life())
    assert other == "fine"
    assert ended.pop("keyboard") == "blocked"
    assert ended.pop("stop") == "RuntimeError"
    assert ended == {what: type(RAISED[what]()).__name__ for what in ended}
    ended_again, _ = asyncio.run(life())
    assert ended_again.pop("keyboard") == "blocked"
    with pytest.raises(NotReplayed, match=r"1 cannot go on[^\n]*\n.*interrupted by a KeyboardInterrupt"):
        replay(tmp_path / "db.sqlite", [fails, fine])


@workflow
async def answers() -> str:
    looked = 0

    async def answer(number: int) -> int:
        raise made([*RAISED][number])

    def check(number: int) -> None:
        if number >= 100:
            raise made([*RAISED][number - 100])

    def watch() -> int:
        nonlocal looked
        looked += 1
        raise made([*RAISED][looked - 1])

    add.answer(answer, check=check)
    look.answer(watch)
    await leave.receive()
    return "left"


def test_whatever_an_answer_or_a_check_raises_goes_to_the_sender(tmp_path: Path) -> None:
    async def run() -> str:
        async with Engine(tmp_path / "db.sqlite", [answers]) as engine:
            handle = await engine.start(answers, id="one")
            for number in range(len(RAISED)):
                if number != [*RAISED].index("keyboard"):
                    with pytest.raises(AnswerFailed):
                        await handle.update(add, number)
                with pytest.raises(InvalidInput):
                    await handle.update(add, 100 + number)
                with pytest.raises(AnswerFailed):
                    await handle.query(look)
            await handle.signal(leave)
            return await handle.result()

    assert asyncio.run(run()) == "left"
    replay(tmp_path / "db.sqlite", [answers])


@workflow
async def rounds(left: int) -> str:
    async def again() -> None:
        continue_as_new(left - 1)

    async with asyncio.TaskGroup() as group:
        if left:
            group.create_task(again())
            group.create_task(asyncio.sleep(1000))
    return "done"


def test_a_task_of_a_group_may_continue_as_new(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    assert live(path, [rounds], lambda client: _result(client, rounds, 3), Life()) == "done"
    replay(path, [rounds])


async def _result(client: Any, what: Any, *value: Any) -> Any:
    return await client.end(await client.start(what, *value))


@workflow
async def answers_and_begins_anew(round_number: int) -> int:
    async def answer(_: int) -> int:
        continue_as_new(round_number + 1)

    async def slow(number: int) -> int:
        await asyncio.sleep(1000)
        return number

    add.answer(slow if round_number else answer)
    await leave.receive()
    if round_number == 1:
        continue_as_new(2)
    return round_number


def test_an_answer_cannot_continue_as_new(tmp_path: Path) -> None:
    async def run() -> int:
        async with Engine(tmp_path / "db.sqlite", [answers_and_begins_anew]) as engine:
            handle = await engine.start(answers_and_begins_anew, 0)
            with pytest.raises(AnswerFailed, match="not for an answer to an update"):
                await handle.update(add, 1)
            await handle.signal(leave)
            return await handle.result()

    assert asyncio.run(run()) == 0


def test_who_waits_for_an_update_is_told_when_the_workflow_continues_as_new(tmp_path: Path) -> None:
    async def run() -> tuple[str, int]:
        async with Engine(tmp_path / "db.sqlite", [answers_and_begins_anew]) as engine:
            handle = await engine.start(answers_and_begins_anew, 1)
            update = asyncio.ensure_future(handle.update(add, 1, idempotency_key="one"))
            await engine.settled()
            await handle.signal(leave)
            [told] = await asyncio.gather(update, return_exceptions=True)
            await handle.signal(leave)
            return str(told), await handle.result()

    told, result = asyncio.run(run())
    assert "continued as new, so the update is not done" in told
    assert result == 2


@workflow
async def does_not_listen() -> str:
    async def bad() -> None:
        raise ValueError("nobody hears")

    task = asyncio.ensure_future(bad())
    await asyncio.sleep(0)
    return "done" if task.done() else "not done"


def test_the_failure_of_a_task_that_nobody_awaits_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dormouse.workflow"):
        assert live(tmp_path / "db.sqlite", [does_not_listen], lambda one: _result(one, does_not_listen), Life())
    assert "nobody has awaited a task that failed" in caplog.text
    assert "ValueError: nobody hears" in caplog.text


@activity
async def note(what: str) -> None:
    world.feels(what)


@workflow
async def refuses_to_end() -> str:
    try:
        await leave.receive()
    except asyncio.CancelledError:
        await note("asked to end")
    await leave.receive()
    return "left"


def test_a_workflow_that_does_not_let_itself_be_cancelled_goes_on(tmp_path: Path) -> None:
    async def drive(client: Any) -> Any:
        handle = await client.start(refuses_to_end)
        await client.nothing_goes_on()
        await client.cancel(handle)
        await client.nothing_goes_on()
        await client.signal(handle, leave, None, "leave")
        return await client.end(handle)

    assert live(tmp_path / "db.sqlite", [refuses_to_end], drive, Life()) == "left"
    assert [one.what for one in world.attempts] == ["note asked to end"]
    replay(tmp_path / "db.sqlite", [refuses_to_end])
