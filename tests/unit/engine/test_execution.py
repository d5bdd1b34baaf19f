"""What does one workflow's code ask for, and does it ask the same again? No file, no clock, no tasks of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from execution_lab import Run, let_all_go, replayed_at_every_event, work

from dormouse import ActivityError, now, random, uuid4, workflow, workflow_info
from dormouse.engine.calls import ActivityCall
from dormouse.engine.ending import Status
from dormouse.engine.journal import Kind


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    yield
    let_all_go()


@workflow
async def race() -> list[str]:
    finished: list[str] = []

    async def one(what: str) -> None:
        finished.append(await work(what))

    await asyncio.gather(one("a"), one("b"), one("c"))
    return finished


@workflow
async def undone() -> str:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(work, "undo")
        return await work("do")


def test_what_a_stack_undoes_is_asked_for_at_a_line_of_the_workflow() -> None:
    run = Run(undone)
    run.complete("do")
    sources = [event.source for event in run.log if event.kind == Kind.ACTIVITY_SCHEDULED]
    assert [str(source).partition(":")[0] for source in sources] == ["test_execution.py", "test_execution.py"]


def test_calls_are_asked_for_in_the_order_of_the_source() -> None:
    assert Run(race).asked == [f'ActivityScheduled ["{what}"]' for what in "abc"]


def test_which_finished_first_is_the_same_in_a_replay() -> None:
    run = Run(race)
    for what in ("c", "a"):
        run.complete(what)
    again = Run(race, run.log)
    again.complete("b")
    assert again.result == '["c","a","b"]'
    replayed_at_every_event(run, race)


def test_a_replay_asks_only_for_what_is_still_open() -> None:
    run = Run(race)
    run.complete("c")
    again = Run(race, run.log)
    assert again.asked == []
    assert {one.payload for one in again.batch.resumed if isinstance(one, ActivityCall)} == {b'["a"]', b'["b"]'}


@workflow
async def hasty() -> str:
    try:
        async with asyncio.timeout(60):
            return await work("slow")
    except TimeoutError:
        return await work("instead")


def test_a_timeout_cancels_the_call_and_that_is_recorded() -> None:
    run = Run(hasty)
    run.ring()
    assert run.asked == ["TimerFired", "ActivityCancelled", 'ActivityScheduled ["instead"]']
    assert len(run.batch.ended) == 1
    run.complete("instead")
    assert run.result == '"instead"'
    replayed_at_every_event(run, hasty)


def test_a_result_in_time_cancels_the_timer() -> None:
    run = Run(hasty)
    run.complete("slow")
    assert run.asked[:2] == ['ActivityCompleted "slow"', "TimerCancelled"]
    replayed_at_every_event(run, hasty)


def test_a_result_that_came_before_its_cancellation_was_delivered_does_not_count() -> None:
    @workflow
    async def first_wins() -> str:
        calls = [asyncio.ensure_future(work(what)) for what in "ab"]
        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
        await asyncio.sleep(1)
        return next(iter(done)).result()

    run = Run(first_wins)
    run.complete("b")
    with pytest.raises(AssertionError, match="nobody asked"):
        run.complete("a")
    again = Run(first_wins, run.log)
    again.ring()
    assert again.result == '"b"'
    replayed_at_every_event(run, first_wins)


@workflow
async def family() -> str:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(what)) for what in "ab"]
    order = [await one for one in asyncio.as_completed([asyncio.ensure_future(work(what)) for what in "cd"])]
    queue: asyncio.Queue[str] = asyncio.Queue()
    queue.put_nowait(await asyncio.wait_for(work("e"), 60))
    return "".join([*(task.result() for task in tasks), *order, await queue.get()])


def test_task_groups_queues_and_as_completed_are_durable_too() -> None:
    run = Run(family)
    for what in "badce":
        run.complete(what)
    assert run.result == '"abdce"'
    replayed_at_every_event(run, family)


def test_as_completed_of_coroutines_is_refused_with_the_remedy() -> None:
    @workflow
    async def unordered() -> None:
        calls = [work("a"), work("b")]
        try:
            for one in asyncio.as_completed(calls):
                await one
        finally:
            for call in calls:
                call.close()

    assert "give it tasks" in (Run(unordered).result or "")


def test_the_order_of_a_set_of_tasks_repeats_itself() -> None:
    @workflow
    async def sets() -> list[str | None]:
        tasks = {asyncio.create_task(work(str(number)), name=str(number)) for number in range(40)}
        done, _ = await asyncio.wait(tasks)
        return [task.get_name() for task in done]

    run = Run(sets)
    for number in range(39):
        run.complete(str(number))
    again = Run(sets, run.log)
    run.complete("39")
    again.complete("39")
    assert run.result == again.result


def test_chance_and_time_repeat_themselves() -> None:
    @workflow
    async def chancy() -> list[str]:
        before = [str(uuid4()), str(random()), str(now())]
        await work("a")
        return [*before, str(uuid4()), str(now())]

    run = Run(chancy)
    again = Run(chancy, run.log)
    run.complete("a")
    again.complete("a")
    assert run.result == again.result


def test_an_activity_that_failed_for_good_raises_where_it_is_awaited() -> None:
    @workflow
    async def careful() -> str:
        try:
            return await work("a")
        except ActivityError as error:
            return str(error)

    run = Run(careful)
    run.fail("a")
    assert run.result == '"work failed after 1 attempt: ValueError: no a"'
    replayed_at_every_event(run, careful)


def test_a_workflow_that_raises_has_failed() -> None:
    @workflow
    async def careless() -> None:
        await work("a")

    run = Run(careless)
    run.fail("a")
    assert run.execution.status == Status.FAILED
    assert run.log[-1].kind == Kind.EXECUTION_FAILED


def test_a_result_without_a_json_form_fails_the_workflow_with_the_remedy() -> None:
    @workflow
    async def opaque() -> object:
        return object()

    run = Run(opaque)
    assert run.execution.status == Status.FAILED
    assert "has no JSON form" in (run.result or "")


def test_threads_and_sockets_are_refused_with_the_remedy() -> None:
    @workflow
    async def threaded() -> None:
        await asyncio.to_thread(print, "no")

    assert "do that in an @activity" in (Run(threaded).result or "")


def test_a_workflow_that_never_waits_is_blocked_and_not_run_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse.engine.loop._MOST_CALLBACKS", 1000)

    @workflow
    async def restless() -> None:
        while True:
            await asyncio.sleep(0)

    run = Run(restless)
    assert run.execution.blocked is not None
    assert "ran without waiting" in run.execution.blocked.message


def test_what_a_finally_asks_for_when_the_code_is_let_go_is_not_done() -> None:
    asked: list[str] = []

    @workflow
    async def tidy() -> None:
        try:
            await work("a")
        finally:
            asked.append("cleanup")
            await work("cleanup")
            asked.append("never")

    run = Run(tidy)
    run.execution.dispose()
    assert asked == ["cleanup"]
    assert run.journal.take().events == []


def test_it_knows_whether_it_only_repeats() -> None:
    seen: list[bool] = []

    @workflow
    async def curious() -> None:
        seen.append(workflow_info().replaying)
        await work("a")
        seen.append(workflow_info().replaying)

    run = Run(curious)
    again = Run(curious, run.log)
    again.complete("a")
    assert seen == [False, True, False]
