"""What does one workflow's code ask for, and does it ask the same again? No file, no clock, no tasks of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dormouse import ActivityError, Workflow, activity, now, random, uuid4, workflow, workflow_info
from dormouse.engine.clock import SECOND
from dormouse.engine.execution import ActivityCall, Execution, Sleep, Status
from dormouse.engine.journal import Batch, Event, Journal, Kind
from dormouse.engine.payload import Failure, encode

T0 = 1_700_000_000 * SECOND


@activity
async def work(what: str) -> str:
    return what


@activity
async def other(what: str) -> str:
    return what


_runs: list[Run] = []


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    yield
    for run in _runs:
        run.execution.dispose()
    _runs.clear()


class Run:
    """An execution whose outside is played by the test; `log` is what a database would hold."""

    def __init__(self, definition: Workflow[..., Any], log: list[Event] | None = None) -> None:
        self.journal = Journal(1 if log is None else log[-1].position + 1)
        self.log = list(log or [])
        self.batch = Batch()
        self.now = T0
        if log is None:
            self.execution = Execution(self.journal, self.journal.reserve(), "one", definition, b"seed")
            self.log.append(Event(self.execution.key, self.execution.key, Kind.EXECUTION_STARTED, T0))
            self.execution.begin(None, T0)
        else:
            self.execution = Execution(self.journal, log[0].execution, "one", definition, b"seed")
            self.execution.replay(log)
        _runs.append(self)
        self._turn()

    def _turn(self) -> None:
        self.batch = self.journal.take()
        self.log += self.batch.events

    def _call(self, what: str) -> ActivityCall:
        for one in self.execution.pending.values():
            if isinstance(one, ActivityCall) and one.payload == encode([what]):
                return one
        raise AssertionError(f"nobody asked for {what}")

    def complete(self, what: str) -> None:
        self.now += SECOND
        self.execution.completed(self._call(what), encode(what), what, self.now)
        self._turn()

    def fail(self, what: str) -> None:
        self.now += SECOND
        self.execution.failed(self._call(what), Failure("ValueError", f"no {what}"), self.now)
        self._turn()

    def ring(self) -> None:
        """The earliest timer is due."""
        sleep = min((one for one in self.execution.pending.values() if isinstance(one, Sleep)), key=lambda one: one.due)
        self.now = sleep.due
        self.execution.woken(sleep, self.now)
        self._turn()

    @property
    def asked(self) -> list[str]:
        return [f"{event.kind} {(event.payload or b'').decode()}".strip() for event in self.batch.events]

    @property
    def result(self) -> str | None:
        closing = self.log[-1]
        return closing.payload.decode() if closing.payload and self.execution.status.closed else None


def replayed_at_every_event(run: Run, definition: Workflow[..., Any]) -> None:
    """A replay of any prefix that a transaction could end with asks for nothing new and is not blocked."""
    log = [event for event in run.log if event.kind not in {Kind.EXECUTION_COMPLETED, Kind.EXECUTION_FAILED}]
    ends = [
        end
        for end in range(1, len(log) + 1)
        if end == len(log) or log[end].kind in {Kind.ACTIVITY_COMPLETED, Kind.ACTIVITY_FAILED, Kind.TIMER_FIRED}
    ]
    for end in ends:
        again = Run(definition, log[:end])
        assert again.execution.blocked is None
        closing = {Kind.EXECUTION_COMPLETED, Kind.EXECUTION_FAILED}
        assert {event.kind for event in again.batch.events} <= closing


@workflow
async def race() -> list[str]:
    finished: list[str] = []

    async def one(what: str) -> None:
        finished.append(await work(what))

    await asyncio.gather(one("a"), one("b"), one("c"))
    return finished


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
        async with asyncio.timeout(10):
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
    assert "without the workflow waiting" in run.execution.blocked.message


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


async def _in_order() -> None:
    await work("a")
    await work("b")


async def _renamed() -> None:
    await other("a")
    await work("b")


async def _changed() -> None:
    await work("A")
    await work("b")


async def _swapped() -> None:
    await work("b")
    await work("a")


async def _slept() -> None:
    await asyncio.sleep(1)
    await work("b")


async def _ended() -> None: ...


async def _ended_early() -> None:
    await work("a")


@pytest.mark.parametrize("changed", [_renamed, _changed, _swapped, _slept, _ended, _ended_early])
def test_code_that_goes_another_way_is_blocked_and_nothing_of_it_is_done(changed: Callable[..., Any]) -> None:
    run = Run(workflow(_in_order))
    run.complete("a")
    again = Run(workflow(changed), run.log)
    assert again.execution.blocked is not None
    assert again.execution.blocked.reason == "NonDeterministic"
    assert again.batch.begun == []
    assert again.batch.resumed == []


def test_a_mismatch_names_both_sides_and_both_lines() -> None:
    run = Run(workflow(_in_order))
    again = Run(workflow(_swapped), run.log)
    blocked = again.execution.blocked
    assert blocked is not None
    assert blocked.expected == 'ActivityScheduled work["a"] as number 1'
    assert blocked.actual == 'ActivityScheduled work["b"] as number 1'
    for source in (blocked.expected_source, blocked.actual_source):
        assert source is not None
        assert source.startswith("test_execution.py:")
        assert source in blocked.message


def test_code_that_is_right_again_goes_on() -> None:
    run = Run(workflow(_in_order))
    run.complete("a")
    assert Run(workflow(_swapped), run.log).execution.blocked is not None
    again = Run(workflow(_in_order), run.log)
    again.complete("b")
    assert again.execution.status == Status.COMPLETED


def test_a_sleep_may_become_longer_without_blocking() -> None:
    def sleeping(seconds: float) -> Workflow[..., Any]:
        async def nap() -> None:
            await asyncio.sleep(seconds)

        return workflow(nap)

    run = Run(sleeping(10))
    again = Run(sleeping(20), run.log)
    again.ring()
    assert again.now == T0 + 10 * SECOND
    assert again.execution.status == Status.COMPLETED
