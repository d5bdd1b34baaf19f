"""In what order do things happen? What arrived -> commit -> wait until it counts -> the code hears of it -> decisions.

One turn takes everything that has arrived, for whatever execution, and makes one transaction of it, together with
what the code has decided since the last one. The code hears of a result once that counts. The activities that it
then asks for begin at once: what they rest on counts, so the next life would ask for the same under the same key,
and their own rows can share the transaction with their results. All other effects wait until they count themselves.
While one batch waits for the store the next is already being made.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dormouse.engine.alarms import Alarmed, Alarms
from dormouse.engine.attempts import Attempts, Outcome, Run, Succeeded
from dormouse.engine.calls import ActivityCall, ApprovalCall, ChildCall, Pending, Sleep, Timed
from dormouse.engine.clock import SECOND, Clock
from dormouse.engine.database import Database
from dormouse.engine.delivery import hear
from dormouse.engine.durability import Durability
from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution
from dormouse.engine.family import Family
from dormouse.engine.journal import Batch, Event, Journal
from dormouse.engine.payload import on_one_line
from dormouse.engine.registry import Dormant
from dormouse.engine.watch import LoopWatch
from dormouse.errors import DormouseError, EngineStopped

if TYPE_CHECKING:
    from dormouse.engine.dormancy import Dormancy

_log = logging.getLogger("dormouse.execution")
_SECONDS_UNTIL_WRITTEN = 0.002
"""What the code has decided is written with the next result, or on its own after this time."""


def tell(execution: Execution) -> None:
    """Say in the log what went wrong, in one line."""
    if execution.failure is not None:
        level = logging.ERROR if execution.status == Status.FAILED else logging.INFO
        what = on_one_line(str(execution.failure))
        _log.log(level, "execution %s %s: %s", execution.id, execution.status.lower(), what)
    elif execution.blocked is not None:
        _log.warning("execution %s is blocked: %s", execution.id, on_one_line(execution.blocked.message))


Decide = Callable[[int, asyncio.Future[Any]], object]
"""Decides at a moment what becomes of a request, and puts its answer into the batch, or keeps it for later."""


class Turns:
    """The one writer."""

    def __init__(
        self,
        database: Database,
        durability: Durability,
        clock: Clock,
        identity: str,
        *,
        activities_at_once: int,
        threads: int,
        blocked_loop_seconds: float,
        counts: Callable[[Execution], None],
        all_counts: bool,
        around_attempts: Callable[[Run], Run] | None,
    ) -> None:
        self._database = database
        self._durability = durability
        self._clock = clock
        self._counts = counts
        self._all_counts = all_counts
        self.journal = Journal(database.next_position(), database.digest_key)
        self.durable_position = 0
        self.log_ends: dict[int, int] = {}
        """Where the log of each open execution ends, as far as it counts."""
        self.recovered = asyncio.Event()
        self.moved = asyncio.Event()
        """Set with every effect: the executions may do something else now."""
        self._stirred = asyncio.Event()
        self.busy_at = clock.now()
        self.watch = LoopWatch(lambda: not self.attempts.idle, blocked_loop_seconds)
        self.attempts = Attempts(
            self._activity_ended,
            self._stir,
            self._heartbeat_heard,
            identity,
            clock,
            at_once=activities_at_once,
            threads=threads,
            watch=self.watch,
            around=around_attempts,
        )
        self.alarms = Alarms(clock, self._alarm_rang)
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._arrived: deque[Callable[[int], None]] = deque()
        self._asked: set[asyncio.Future[Any]] = set()
        self._unreleased: deque[Batch] = deque()
        self._unheard: list[tuple[Execution, Event]] = []
        self._asked_early: list[Callable[[int], None]] = []
        self._writes_soon: asyncio.TimerHandle | None = None
        self.family: Family | None = None
        self.dormancy: Dormancy | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dormouse-commit")
        self._scheduled = False
        self._committing: asyncio.Task[None] | None = None
        self._releasing: asyncio.Task[None] | None = None
        self._draining = False  # nothing new begins
        self._stopping = False  # nothing more is written

    @property
    def quiet(self) -> bool:
        """Nothing is running, nothing waits to be written or to count."""
        undone = self._arrived or self._scheduled or self._committing or self._unreleased or self._unheard
        return not undone and self.journal.batch.empty and self.attempts.idle

    async def settled(self) -> None:
        """Wait until it is quiet, or nothing can be written any more."""
        while not (self.quiet or self.failure.done()):
            await self._stirred.wait()

    def _stir(self) -> None:
        """Have those look again who wait until it is quiet."""
        self._stirred.set()
        self._stirred.clear()

    # What arrives.

    def start(self, execution: Execution, payload: bytes | None) -> None:
        self._arrive(lambda at: execution.start(payload, at))

    async def ask(self, decide: Decide) -> Any:
        """Have something decided in a turn, and give the answer once it counts, with all that came before it."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.add(answer)
        answer.add_done_callback(self._asked.discard)
        self._arrive(lambda at: self._decide(decide, at, answer))
        return await answer

    def _decide(self, decide: Decide, at: int, answer: asyncio.Future[Any]) -> None:
        try:
            decide(at, answer)
        except DormouseError as refusal:
            self.journal.batch.answers.append((answer, refusal))

    def ask_again(self, decide: Decide, answer: asyncio.Future[Any]) -> None:
        """Have it decided once the code has heard of what it was told already."""
        self._asked_early.append(lambda at: self._decide(decide, at, answer))

    def resume(self, left: Batch) -> None:
        """Go on with what the replays left to do.

        It waits for the store too, since what this file holds may be newer; unless all of it came from there.
        """
        self._arrive(lambda _: self.journal.batch.add(left))

    def _activity_ended(self, call: ActivityCall, outcome: Outcome) -> None:
        self._arrive(lambda at: self._outcome(call, outcome, at))

    def _heartbeat_heard(self, call: ActivityCall) -> None:
        self._arrive(lambda _: self._beat(call))

    def _alarm_rang(self, waiting: Alarmed) -> None:
        if isinstance(waiting, Sleep):
            self._arrive(lambda at: self._wake(waiting, at))
        elif isinstance(waiting, ApprovalCall):
            self._arrive(lambda at: self._expire(waiting, at))
        elif isinstance(waiting, Dormant):
            self._arrive(lambda _: self._find(waiting))
        elif not waiting.done() and not self._draining:
            self.attempts.begin(waiting)
            self.moved.set()

    def _arrive(self, arrival: Callable[[int], None]) -> None:
        self._arrived.append(arrival)
        self._schedule_turn()

    # What follows from it: no effects, only the batch.

    def _beat(self, call: ActivityCall) -> None:
        if call.execution.pending.get(call.command) is call:
            self.journal.batch.beaten.append(call)

    def _outcome(self, call: ActivityCall, outcome: Outcome, at: int) -> None:
        execution = call.execution
        if execution.pending.get(call.command) is not call or execution.blocked is not None:
            return
        if isinstance(outcome, Succeeded):
            execution.completed(call, outcome.payload, outcome.value, at)
        elif outcome.retry_seconds is None:
            execution.failed(call, outcome.failure, at)
        else:
            execution.attempt_failed(call, outcome.failure, at, at + round(outcome.retry_seconds * SECOND))

    def _find(self, dormant: Dormant) -> None:
        """Back in memory, its own timers ring."""
        if self.dormancy is not None:
            self.dormancy.find_by_number(dormant.key)

    def _wake(self, sleep: Sleep, at: int) -> None:
        execution = sleep.execution
        if execution.pending.get(sleep.command) is sleep and execution.blocked is None:
            execution.woken(sleep, max(at, sleep.due))

    def _expire(self, call: ApprovalCall, at: int) -> None:
        execution = call.execution
        if execution.pending.get(call.command) is call and call.settled is None and execution.blocked is None:
            execution.expired(call, max(at, call.due or 0))

    # Commit, wait, release.

    def _schedule_turn(self) -> None:
        if not self._scheduled and self._committing is None and not self._stopping:
            self._scheduled = True
            # A callback, not a task: inside of it the executions' own tasks run.
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._forget_to_write_soon()
        if self.failure.done():
            self._arrived.clear()
            return
        at = self._clock.now()
        try:
            self._take(at)
        except Exception as error:  # noqa: BLE001 - not the user's code: the engine itself is wrong
            self._fail(error)
            return
        batch = self.journal.take()
        if batch.empty:
            self._stir()
        else:
            self._committing = asyncio.get_running_loop().create_task(self._commit(batch))

    def _take(self, at: int) -> None:
        family, consequences = self.family, self.journal.consequences
        assert family is not None  # noqa: S101 - it is set before anything arrives
        family.follow(at)
        while self._arrived:
            self._arrived.popleft()(at)
            if consequences:
                family.follow(at)

    async def _commit(self, batch: Batch) -> None:
        try:
            if batch.writes:
                self._all_counts = False
                await self._durability.before_commit()
                self._database.write(batch)
                await asyncio.get_running_loop().run_in_executor(self._thread, self._database.commit)
            nothing_new = not (batch.writes or batch.recovered or self._unreleased)
            if self._all_counts or nothing_new:
                self._take_effect(batch)
            else:
                self._unreleased.append(batch)
                if not self._durability.waits:
                    await self._durability.after_commit()
                    self._take_effect(self._unreleased.popleft())
                elif self._releasing is None:
                    self._releasing = asyncio.get_running_loop().create_task(self._release())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more can be written
            self._fail(error)
        finally:
            self._committing = None
        self._write_decisions()

    async def _release(self) -> None:
        try:
            while self._unreleased:
                covered = len(self._unreleased)
                await self._durability.after_commit()
                for _ in range(covered):
                    self._take_effect(self._unreleased.popleft())
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
        finally:
            self._releasing = None
        self._write_decisions()

    def _take_effect(self, batch: Batch) -> None:
        self.busy_at = self._clock.now()
        self.durable_position = batch.position
        for event in batch.events:
            self.log_ends[event.execution] = event.position
        if batch.recovered:
            self.recovered.set()
        for call in batch.ended:
            self.attempts.cancel(call)
        for gone in batch.timers_gone:
            self.alarms.clear(gone)
        for execution in (*batch.closed, *batch.changed):
            if execution.status != Status.OPEN:
                self._end(execution)
                tell(execution)
        if not self._draining:
            for waiting in (*batch.begun, *batch.timers_set, *batch.resumed):
                self.go_on_waiting(waiting)
        if batch.heard and not self._draining:
            if not self._unheard:
                # A callback, not this task: the executions' own tasks run inside of it.
                asyncio.get_running_loop().call_soon(self._tell_code)
            self._unheard += batch.heard
        else:
            self.moved.set()
        self._stir()
        self._tell_who_waits(batch)
        if self.dormancy is not None and not self._draining:
            self.dormancy.let_go()

    def _tell_code(self) -> None:
        """The code hears of what counts, and the activities that it asks for begin."""
        unheard, self._unheard = self._unheard, []
        if self._draining or self.failure.done():
            return
        batch, dormancy = self.journal.batch, self.dormancy
        assert dormancy is not None  # noqa: S101 - it is set before anything arrives
        others, batch.begun = batch.begun, []
        try:
            hear(unheard)
            dormancy.consider(dict.fromkeys(execution for execution, _ in unheard))
        except Exception as error:  # noqa: BLE001 - not the user's code: the engine itself is wrong
            self._fail(error)
            return
        begun, batch.begun = batch.begun, others
        for call in begun:
            self.go_on_waiting(call)
        self._arrived += self._asked_early
        self._asked_early.clear()
        dormancy.let_go()
        self.moved.set()
        self._stir()
        self._write_decisions()

    def _write_decisions(self) -> None:
        """Make a turn of what there is: at once when somebody waits for it, else soon."""
        if self._arrived or self.journal.pressing:
            self._schedule_turn()
        elif self._writes_soon is None and not self.journal.batch.empty:
            loop = asyncio.get_running_loop()
            self._writes_soon = loop.call_later(_SECONDS_UNTIL_WRITTEN, self._write_now)

    def _write_now(self) -> None:
        self._writes_soon = None
        self._schedule_turn()

    def _forget_to_write_soon(self) -> None:
        if self._writes_soon is not None:
            self._writes_soon.cancel()
            self._writes_soon = None

    def _tell_who_waits(self, batch: Batch) -> None:
        for execution in batch.closed:
            del self.log_ends[execution.key]
        for execution in (*batch.opened, *batch.closed, *batch.changed):
            self._counts(execution)
        for answer, value in batch.answers:
            give(answer, value)

    def go_on_waiting(self, waiting: Pending | Dormant) -> None:
        """What was asked for counts: run it, or have it ring when it is due."""
        if isinstance(waiting, Dormant):
            if waiting.due is not None:
                self.alarms.set(waiting)
            return
        if waiting.execution.pending.get(waiting.command) is not waiting:
            return
        if isinstance(waiting, ActivityCall) and waiting.due is None:
            self.attempts.begin(waiting)
        elif not isinstance(waiting, ChildCall) and waiting.due is not None:
            self.alarms.set(waiting)

    def _end(self, execution: Execution) -> None:
        for waiting in list(execution.pending.values()):
            if isinstance(waiting, ActivityCall):
                self.attempts.cancel(waiting)
            if isinstance(waiting, Timed):
                self.alarms.clear(waiting)
        execution.dispose()
        execution.mailbox.close(f"execution {execution.id!r} is {execution.status}")

    def _fail(self, error: BaseException) -> None:
        if not self.failure.done():
            self.failure.set_result(error)
            self._stir()
            self._refuse_answers(f"the engine cannot write any more: {error!r}")

    def _refuse_answers(self, message: str) -> None:
        for answer in list(self._asked):
            if not answer.done():
                answer.set_exception(EngineStopped(message))

    # The end.

    @property
    def _has_to_write(self) -> bool:
        return bool(self._scheduled or self._committing or self._arrived or not self.journal.batch.empty)

    async def stop(self) -> None:
        """Stop what runs, write down what has arrived, and wait until it counts as well as it can."""
        self._draining = True
        self.alarms.stop()
        await self.attempts.stop()
        while self._has_to_write and not self.failure.done():
            self._schedule_turn()
            if self._committing is not None:
                await asyncio.wait({self._committing})
            else:
                await asyncio.sleep(0)
        self._stopping = True
        self._forget_to_write_soon()
        if self._releasing is not None:
            self._releasing.cancel()
            await asyncio.wait({self._releasing})
        self._refuse_answers("the engine has stopped before this was done; ask again, the next one will answer")
        self.watch.stop()
        if not self.failure.done():
            await self._durability.flush()
        self._thread.shutdown()


def give(answer: asyncio.Future[Any], value: Any) -> None:
    """Answer somebody who may not wait any more."""
    if answer.done():
        return
    if isinstance(value, DormouseError):
        answer.set_exception(value)
    else:
        answer.set_result(value)
