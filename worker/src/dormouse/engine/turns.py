"""In what order do things happen? What arrived -> commit -> wait until it counts -> the code hears of it -> decisions.

One turn takes everything that has arrived, for whatever execution, and makes one transaction of it, together with
what the code has decided since the last one. The code hears of a result once that counts. The activities that it
then asks for begin at once: what they rest on counts, so the next life would ask for the same under the same key,
and their own rows can share the transaction with their results. All other effects wait until they count themselves.
While one batch is on its way to the disk, or waits for the store, the code hears of the last one and the next is made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from time import perf_counter
from typing import TYPE_CHECKING

from dormouse.engine.alarms import Alarmed, Alarms
from dormouse.engine.asking import Requests
from dormouse.engine.attempts import Attempts
from dormouse.engine.calls import ActivityCall, ApprovalCall, ChildCall, Pending, Sleep, Timed
from dormouse.engine.clock import Clock
from dormouse.engine.database import Database
from dormouse.engine.definitions import Transaction
from dormouse.engine.delivery import hear
from dormouse.engine.durability import Durability
from dormouse.engine.ending import Status
from dormouse.engine.execution import Execution
from dormouse.engine.family import Family
from dormouse.engine.happening import approval_expired, attempts_ended, goes_on, timer_rang
from dormouse.engine.journal import Batch, Event, Journal
from dormouse.engine.mailbox import give
from dormouse.engine.outcomes import Around, Before, Ended
from dormouse.engine.pacing import hears_first, told_first
from dormouse.engine.registry import Dormant
from dormouse.engine.tally import Tally
from dormouse.engine.telling import tell
from dormouse.engine.tracing import Tracing
from dormouse.engine.watch import LoopWatch
from dormouse.engine.writing import Writer

if TYPE_CHECKING:
    from dormouse.engine.dormancy import Dormancy

_end_of_log = itemgetter(Event._fields.index("execution"), Event._fields.index("position"))
_SECONDS_UNTIL_WRITTEN = 0.002
"""What the code has decided is written with the next result, or on its own after this time."""


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
        around_attempts: Sequence[Around],
        before_attempt: Before | None,
        tracing: Tracing | None,
    ) -> None:
        self._durability = durability
        self._clock = clock
        self._counts = counts
        self._tracing = tracing
        self._loop = asyncio.get_running_loop()
        self.tally = Tally()
        self._writer = Writer(
            database,
            durability,
            self.tally,
            all_counts=all_counts,
            counts=self._take_effect,
            free=self._written,
            failed=self._fail,
        )
        self.journal = Journal(database.next_position(), database.digest_key)
        self.durable_position = 0
        self.log_ends: dict[int, int] = {}
        """Where the log of each open execution ends, as far as it counts."""
        self.recovered = asyncio.Event()
        self.moved = asyncio.Event()
        """Set with every effect: the executions may do something else now."""
        self.closed = asyncio.Event()
        """Set when the end of an execution, or of a run, counts."""
        self._stirred = asyncio.Event()
        self.busy_at = clock.now()
        self.watch = LoopWatch(lambda: not self.attempts.idle, blocked_loop_seconds)
        self.attempts = Attempts(
            self._activities_ended,
            self._attempts_rest,
            self._fail,
            self._heartbeat_heard,
            identity,
            clock,
            at_once=activities_at_once,
            threads=threads,
            watch=self.watch,
            tally=self.tally,
            in_transaction=database.transactions.call,
            around=around_attempts if tracing is None else (*around_attempts, tracing.around),
            before=before_attempt,
        )
        self.alarms = Alarms(clock, self._alarm_rang)
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._arrived: deque[Callable[[int], None]] = deque()
        self._transactions = database.transactions
        self._to_transact: list[ActivityCall] = []
        self._requests = Requests(self.journal, self._arrive)
        self.ask, self.ask_again = self._requests.ask, self._requests.ask_again
        self._unheard: list[tuple[Execution, Event]] = []
        self._writes_soon: asyncio.TimerHandle | None = None
        self._must_write = False
        self._telling_seconds = 0.0
        self.family: Family | None = None
        self.dormancy: Dormancy | None = None
        self._scheduled = False
        self._draining = False  # nothing new begins
        self._stopping = False  # nothing more is written

    @property
    def quiet(self) -> bool:
        """Nothing is running, nothing waits to be written or to count."""
        return self._caught_up and self.attempts.idle

    @property
    def _caught_up(self) -> bool:
        undone = self._arrived or self._scheduled or self._unheard or self._to_transact
        return not undone and self._writer.idle and self.journal.batch.empty

    @property
    def commits_waiting(self) -> int:
        return self._writer.uncounted

    async def settled(self, *, though_attempts_run: bool) -> None:
        """Wait until it is quiet, or nothing can be written any more."""
        while not (self.failure.done() or (self._caught_up and (though_attempts_run or self.attempts.idle))):
            await self._stirred.wait()

    def _attempts_rest(self) -> None:
        if self._writer.busy and not self._unheard:
            self._loop.call_soon(self._wait_for_disk)
        self._stir()

    def _wait_for_disk(self) -> None:
        """What the code hears next, it hears once the disk is done."""
        if self.attempts.idle and not (self._unheard or self._scheduled):
            self._writer.wait_for_disk()

    def _stir(self) -> None:
        """Have those look again who wait until it is quiet."""
        self._stirred.set()
        self._stirred.clear()

    # What arrives.

    def start(self, execution: Execution, payload: bytes | None) -> None:
        self._arrive(lambda at: execution.start(payload, at))

    def resume(self, left: Batch) -> None:
        """Go on with what the replays left to do.

        It waits for the store too, since what this file holds may be newer; unless all of it came from there.
        """
        self._arrive(lambda _: self.journal.batch.add(left))

    def _activities_ended(self, ended: Ended) -> None:
        self._arrive(partial(attempts_ended, ended))

    def _heartbeat_heard(self, call: ActivityCall) -> None:
        self._arrive(lambda _: self._beat(call))

    def _alarm_rang(self, waiting: Alarmed) -> None:
        if isinstance(waiting, Sleep):
            self._arrive(lambda at: timer_rang(waiting, at))
        elif isinstance(waiting, ApprovalCall):
            self._arrive(lambda at: approval_expired(waiting, at))
        elif isinstance(waiting, Dormant):
            self._arrive(lambda _: self._find(waiting))
        elif not waiting.future.done() and not self._draining:
            self._begin(waiting)
            self.moved.set()

    def _beat(self, call: ActivityCall) -> None:
        if call.execution.pending.get(call.command) is call:
            self.journal.batch.beaten.append(call)

    def _find(self, dormant: Dormant) -> None:
        """Back in memory, its own timers ring."""
        if self.dormancy is not None:
            self.dormancy.find_by_number(dormant.key)

    def _arrive(self, arrival: Callable[[int], None]) -> None:
        self._arrived.append(arrival)
        if not self._writer.busy:
            self._schedule_turn()

    # Write, tell, write.

    def _schedule_turn(self) -> None:
        if not self._scheduled and not self._stopping:
            self._scheduled = True
            # A callback, not a task: inside of it the executions' own tasks run.
            self._loop.call_soon(self._turn)

    def _written(self) -> None:
        if self.attempts.idle:
            self._turn()
        else:
            self._schedule_turn()  # of those that have begun just now, many will have ended by then

    def _turn(self) -> None:
        """What has arrived goes on its way to the disk, and meanwhile the code hears of what counts."""
        self._scheduled = False
        if self.failure.done():
            self._arrived.clear()
        elif not self._stopping:
            try:
                if not (self._writer.busy or self._hears_first()):
                    self._write()
                if self._unheard:
                    self._tell_code()
                self._plan_next_turn()
            except Exception as error:  # noqa: BLE001 - not the user's code: the engine itself is wrong
                self._fail(error)
        self._stir()

    def _hears_first(self) -> bool:
        return not self._must_write and hears_first(
            len(self._unheard), self._telling_seconds, self._writer.seconds_until_it_counts
        )

    def _write(self) -> None:
        if not (self._arrived or self._must_write or self._to_transact or self.journal.pressing):
            return
        self._must_write = False
        self._forget_to_write_soon()
        at = self._clock.now()
        self._take(at)
        self._transact(at)
        batch = self.journal.take()
        if not batch.empty:
            self._writer.write(batch, at_once=bool(self._unheard), idle=not self._unheard and self.attempts.idle)

    def _take(self, at: int) -> None:
        family, consequences = self.family, self.journal.consequences
        assert family is not None  # noqa: S101 - it is set before anything arrives
        family.follow(at)
        while self._arrived:
            self._arrived.popleft()(at)
            if consequences:
                family.follow(at)

    def _transact(self, at: int) -> None:
        """Run the transactions that wait, in the one that writes down what they came to."""
        waiting = self._to_transact = [] if self._draining else [call for call in self._to_transact if goes_on(call)]
        if waiting and self._writer.may_begin():
            self._to_transact = []
            outcomes = self._transactions.run(waiting, self.attempts.run_at_once)
            attempts_ended([(call, outcome, 0) for call, outcome in outcomes], at)

    def _take_effect(self, batch: Batch) -> None:
        self.busy_at = self._clock.now()
        self.durable_position = batch.position
        self.log_ends.update(map(_end_of_log, batch.events))
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
            self._unheard += batch.heard
        else:
            self.moved.set()
        self._tell_who_waits(batch)
        if self.dormancy is not None and not self._draining:
            self.dormancy.let_go()

    def _tell_code(self) -> None:
        """The code hears of what counts, and the activities that it asks for begin."""
        if self._draining:
            self._unheard.clear()
            return
        told = len(self._unheard)
        if self._writer.idle:
            told = told_first(told, self._telling_seconds, self._writer.seconds_until_it_counts)
        unheard, self._unheard = self._unheard[:told], self._unheard[told:]
        batch, dormancy = self.journal.batch, self.dormancy
        assert dormancy is not None  # noqa: S101 - it is set before anything arrives
        others, batch.begun = batch.begun, []
        began = perf_counter()
        with self.watch.over_code():
            hear(unheard)
        self._telling_seconds = (perf_counter() - began) / told
        dormancy.consider(execution for execution, _ in unheard)
        begun, batch.begun = batch.begun, others
        for call in begun:
            if call.execution.pending.get(call.command) is call:
                self._begin(call)
        dormancy.let_go()
        self.moved.set()
        if not self._unheard:
            self._requests.code_has_heard()

    def _plan_next_turn(self) -> None:
        """At once when somebody waits for it, else soon; while something is being written, its end brings it about."""
        if self._unheard or (not self._writer.busy and (self._arrived or self.journal.pressing)):
            self._schedule_turn()
        elif self._writes_soon is None and not self.journal.batch.empty:
            self._writes_soon = self._loop.call_later(_SECONDS_UNTIL_WRITTEN, self._write_now)

    def _write_now(self) -> None:
        self._writes_soon = None
        self._must_write = True
        self._schedule_turn()

    def _forget_to_write_soon(self) -> None:
        if self._writes_soon is not None:
            self._writes_soon.cancel()
            self._writes_soon = None

    def _tell_who_waits(self, batch: Batch) -> None:
        for execution in batch.opened:
            self.tally.started[execution.workflow.name] += 1
        for execution in batch.closed:
            self.tally.closed[execution.workflow.name, execution.status] += 1
            if self._tracing is not None:
                self._tracing.closed(execution)
            del self.log_ends[execution.key]
        for execution in (*batch.opened, *batch.closed, *batch.changed):
            self._counts(execution)
        if batch.closed or batch.ended_runs:
            self.closed.set()
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
            self._begin(waiting)
        elif not isinstance(waiting, ChildCall) and waiting.due is not None:
            self.alarms.set(waiting)

    def _begin(self, call: ActivityCall) -> None:
        if not isinstance(call.activity, Transaction):
            self.attempts.begin(call)
            return
        self._to_transact.append(call)
        if not self._writer.busy:
            self._schedule_turn()

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
            self._requests.refuse(f"the engine cannot write any more: {error!r}")

    # The end.

    async def stop(self) -> None:
        """Stop what runs, write down what has arrived, and wait until it counts as well as it can."""
        self._draining = True
        self.alarms.stop()
        await self.attempts.stop()
        while self._has_to_write and not self.failure.done():
            if not self._writer.busy:
                self._write_now()
            await self._stirred.wait()
        self._stopping = True
        self._forget_to_write_soon()
        await self._writer.stop()
        self._requests.refuse("the engine has stopped before this was done; ask again, the next one will answer")
        self.watch.stop()
        if not self.failure.done():
            await self._durability.flush()

    @property
    def _has_to_write(self) -> bool:
        return bool(self._scheduled or self._writer.busy or self._arrived or not self.journal.batch.empty)
