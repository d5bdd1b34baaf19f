"""How is one attempt of an activity run? As a task of the ordinary loop or, when it is not async, in a thread."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from time import perf_counter_ns
from typing import Any

from dormouse.engine.attempt import RunningAttempt, TookTooLong, limit_of, rest_of, without_stopping
from dormouse.engine.calls import ActivityCall
from dormouse.engine.clock import Clock
from dormouse.engine.definitions import Transaction
from dormouse.engine.info import attempt_context
from dormouse.engine.outcomes import Around, Before, Ended, InTransaction, Outcome, Raised, Run, Succeeded, outcome_of
from dormouse.engine.payload import encode, failure_of, on_one_line, text_of
from dormouse.engine.retry import chance_of
from dormouse.engine.tally import Tally
from dormouse.engine.watch import LoopWatch
from dormouse.errors import InvalidDefinition, PayloadTooLarge, TransactionRefused

_log = logging.getLogger("dormouse.activity")
_CANCELLED_WITHIN_SECONDS = 10.0
_HEARTBEAT_KEPT_EVERY_SECONDS = 1.0
_set_attempt = attempt_context.set


class Attempts:
    """Runs attempts, a bounded number at a time, and reports how each ended.

    Args:
        report: told how attempts ended.
        rested: told when none runs or waits for its turn any more.
        failed: told what went wrong that is no attempt's fault.
        keep_heartbeat: told of details that are to be written.
        identity: what idempotency keys begin with.
        clock: what time it is.
        at_once: how many run at the same time.
        threads: how many that are not async run at the same time.
        watch: looks whether they block the loop.
        tally: counts them.
        in_transaction: where those run that are transactions.
        around: wrap the running of each one's function, the last one outermost.
        before: until when must one wait before it begins? None when it may at once.
    """

    def __init__(
        self,
        report: Callable[[Ended], None],
        rested: Callable[[], None],
        failed: Callable[[BaseException], None],
        keep_heartbeat: Callable[[ActivityCall], None],
        identity: str,
        clock: Clock,
        *,
        at_once: int,
        threads: int,
        watch: LoopWatch,
        tally: Tally,
        in_transaction: InTransaction,
        around: Sequence[Around],
        before: Before | None = None,
    ) -> None:
        self._report = report
        self._rested = rested
        self._failed = failed
        self._keep_heartbeat = keep_heartbeat
        self._identity = identity
        self._clock = clock
        self._at_once = at_once
        self.loop = asyncio.get_running_loop()
        self._running: dict[ActivityCall, asyncio.Task[None] | None] = {}
        self._waiting: set[str] = set()
        """The activities that have waited for something. Their attempts get a task each."""
        self._begun: deque[ActivityCall] = deque()
        """Attempts of others, which share a task until one of them waits after all."""
        self._shared: asyncio.Task[None] | None = None
        self._unwanted: set[ActivityCall] = set()
        self._queued: deque[ActivityCall] = deque()
        self._unkept: dict[ActivityCall, asyncio.TimerHandle] = {}
        self._delays: dict[ActivityCall, int] = {}
        """For how many nanoseconds those had to wait that could not begin at once."""
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._watch = watch
        self._tally = tally
        self._in_transaction = in_transaction
        self._before = before
        self._call: Run = self._run_function
        self._is_plain = not around
        for wrap in around:
            self._call = wrap(self._call)

    def __contains__(self, call: object) -> bool:
        return call in self._running

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def queued(self) -> int:
        return len(self._queued)

    @property
    def idle(self) -> bool:
        return not self._running and not self._queued

    def begin(self, call: ActivityCall) -> None:
        if len(self._running) >= self._at_once:
            self._queued.append(call)
            return
        if not self._running:
            self._watch.go_on()
        name = call.activity.name
        if name in self._waiting:
            task = self._running[call] = self.loop.create_task(self._run(call), name=name)
            task.add_done_callback(partial(self._never_ran, call))
            return
        self._running[call] = None
        self._begun.append(call)
        if self._shared is None:
            self._share_task()

    def run_at_once(self, call: ActivityCall) -> Outcome:
        """Run a transaction's attempt, which waits for nothing, here and now."""
        self._watch.go_on()
        began = perf_counter_ns()
        attempt = self._outcome(call, None)
        try:
            copy_context().run(attempt.send, None)
        except StopIteration as ended:
            outcome: Outcome = ended.value
        else:
            attempt.close()
            error = TypeError(f"what replaces the transaction {call.activity.name} must wait for nothing")
            outcome = self._raised(call, error, final=True)
        self._count(call, outcome, perf_counter_ns() - began)
        return outcome

    def cancel(self, call: ActivityCall) -> None:
        """The workflow does not wait for it any more."""
        if call not in self._running:
            return
        task = self._running[call]
        if task is not None:
            self._unwanted.add(call)
            task.cancel()
        else:
            self._begun.remove(call)
            self._forget(call)

    async def stop(self) -> None:
        """Cancel what runs.

        Threads cannot be cancelled, and a coroutine may swallow it: after a while nobody listens to them any more.
        """
        self._queued.clear()
        for call in list(self._running):
            self.cancel(call)
        tasks = [task for task in (self._shared, *self._running.values()) if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCELLED_WITHIN_SECONDS)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _share_task(self) -> None:
        self._shared = None
        if self._begun:
            self._shared = self.loop.create_task(self._run_begun())
            self._shared.add_done_callback(self._shared_ended)

    def _shared_ended(self, task: asyncio.Task[None]) -> None:
        """What goes wrong in an attempt is its outcome; what goes wrong around them would let all of them wait."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(error)

    async def _run_begun(self) -> None:
        """Run what has begun, one after the other and each in a context of its own: to make a task costs more than many
        an attempt. One that waits for something keeps this task, and the others get another one.
        """
        task = self._shared
        assert task is not None  # noqa: S101 - it is this one
        ended: list[tuple[ActivityCall, Outcome | None, int]] = []
        began = perf_counter_ns()
        for _ in range(len(self._begun)):
            if not self._begun or task.cancelling():
                break  # what was left is not wanted any more, or an attempt has cancelled the task that it runs in
            call = self._begun.popleft()
            self._running[call] = task
            name = call.activity.name
            task.set_name(name)
            context, attempt = copy_context(), self._outcome(call, self._before)
            outcome: Outcome | None = None
            try:
                awaited = context.run(attempt.send, None)
            except StopIteration as finished:
                outcome = finished.value
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as it says there
                outcome = self._outcome_of(call, error)
            else:
                self._waiting.add(name)
                self._over(ended)
                ended = []  # this one may go on for days, and they are over
                self._share_task()
                await self._see_through(call, rest_of(attempt, context, awaited), began)
                return
            ended_at = perf_counter_ns()
            ended.append((call, outcome, ended_at - began))
            began = ended_at
        self._over(ended)
        self._share_task()

    async def _run(self, call: ActivityCall) -> None:
        await self._see_through(call, self._outcome(call, self._before), perf_counter_ns())

    async def _see_through(self, call: ActivityCall, attempt: Awaitable[Outcome], began: int) -> None:
        outcome: Outcome | None = None
        try:
            outcome = await attempt
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as it says there
            outcome = self._outcome_of(call, error)
        finally:
            self._over([(call, outcome, perf_counter_ns() - began)])

    def _outcome_of(self, call: ActivityCall, error: BaseException) -> Outcome | None:
        """Whatever went wrong, nobody may wait for ever because of it. None when nobody waits."""
        if not isinstance(error, asyncio.CancelledError):
            _log.error("%s-%s could not be run", call.activity.name, call.command, exc_info=error)
            return Raised(failure_of(error), None)
        return None if call in self._unwanted else self._raised(call, error)

    def _over(self, ended: Ended) -> None:
        """Attempts have ended."""
        for call, outcome, took in ended:
            self._count(call, outcome, took - self._delays.pop(call, 0) if self._delays else took)
            del self._running[call]
            if self._unwanted:
                self._unwanted.discard(call)
            if self._unkept and call in self._unkept:
                self._unkept.pop(call).cancel()
        self._go_on()
        if ended:
            self._report(ended)

    def _never_ran(self, call: ActivityCall, task: asyncio.Task[None]) -> None:
        """A task that is cancelled before its first turn does not enter its coroutine: nobody else gives its place."""
        if self._running.get(call) is task:
            self._forget(call)

    def _forget(self, call: ActivityCall) -> None:
        """It has not run, and will not."""
        del self._running[call]
        self._unwanted.discard(call)
        self._go_on()

    def _go_on(self) -> None:
        """Fewer run now."""
        if self._queued:
            self._begin_queued()
        if not self._running and not self._queued:
            self._rested()

    def _count(self, call: ActivityCall, outcome: Outcome | None, took: int) -> None:
        name = call.activity.name
        tally = self._tally.attempts.get(name) or self._tally.attempts_of(name)
        tally.durations.add(took)
        if outcome is None:
            tally.cancelled += 1
        elif isinstance(outcome, Succeeded):
            tally.succeeded += 1
        elif outcome.retry_seconds is None:
            tally.failed += 1
        else:
            tally.retried += 1

    def _begin_queued(self) -> None:
        while self._queued and len(self._running) < self._at_once:
            call = self._queued.popleft()
            if not call.future.done():
                self.begin(call)

    async def _outcome(self, call: ActivityCall, before: Before | None) -> Outcome:
        if before is not None and (waiting := before()) is not None:
            asked = perf_counter_ns()
            await waiting
            self._delays[call] = perf_counter_ns() - asked
        activity = call.activity
        try:
            if not activity.checked:
                activity.check()
            args, kwargs = activity.arguments.decode(call.payload)
        except InvalidDefinition as error:
            return self._raised(call, error, final=True)
        except Exception as error:  # noqa: BLE001 - validators of the user's types run here
            why = f"the arguments of {activity.name} do not fit: {text_of(error)}"
            return self._raised(call, TypeError(why), final=True)
        unlimited = activity.unlimited
        limit = None if unlimited else limit_of(activity.options, call.scheduled_at, self._clock.now())
        if limit is not None and limit.seconds <= 0:
            return self._raised(call, TimeoutError(limit.message), final=True)
        attempt = RunningAttempt(call, self, call.heartbeat)
        _set_attempt(attempt)
        try:
            plain = activity.is_async and self._is_plain
            work = activity.function(*args, **kwargs) if plain else self._call(call, args, kwargs)
            returned = await (work if unlimited else attempt.in_time(work, limit))
        except TookTooLong as error:
            return self._raised(call, TimeoutError(str(error)), final=error.final)
        except TransactionRefused as error:
            return self._raised(call, error, final=True)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if not self.loop.is_running():
                raise  # this very coroutine is being closed
            return self._raised(call, error)  # whatever the user's code raises is recorded, `sys.exit()` as well
        finally:
            attempt.over = True
        try:
            payload = encode(returned)
            return Succeeded(payload, activity.read_result(payload))
        except Exception as error:  # noqa: BLE001 - validators of the user's types run here
            why = f"the result of {activity.name} does not fit: {text_of(error)}"
            too_large = isinstance(error, PayloadTooLarge)
            return self._raised(call, PayloadTooLarge(why) if too_large else TypeError(why), final=True)

    def _run_function(
        self, call: ActivityCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        activity = call.activity
        if activity.is_async:
            coroutine: Coroutine[Any, Any, Any] = activity.function(*args, **kwargs)
            return coroutine
        if isinstance(activity, Transaction):
            return self._on_connection(lambda connection: activity.function(connection, *args, **kwargs))
        return self._in_thread(partial(activity.function, *args, **kwargs))

    async def _on_connection(self, function: Callable[[sqlite3.Connection], Any]) -> Any:
        return self._in_transaction(function)

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="dormouse-activity")
        return await self.loop.run_in_executor(self._pool, copy_context().run, without_stopping, function)

    def key_of(self, call: ActivityCall) -> str:
        return f"{self._identity}/{call.execution.id}/{call.command}"

    def heard(self, call: ActivityCall, details: bytes) -> None:
        """Keep the first details at once, those that follow now and then: the last of them count."""
        first = call.heartbeat is None
        call.heartbeat = details
        if first:
            self._keep_heartbeat(call)
        elif call not in self._unkept:
            self._unkept[call] = self.loop.call_later(_HEARTBEAT_KEPT_EVERY_SECONDS, self._keep_later, call)

    def _keep_later(self, call: ActivityCall) -> None:
        del self._unkept[call]
        self._keep_heartbeat(call)

    def _raised(self, call: ActivityCall, error: BaseException, *, final: bool = False) -> Raised:
        raised = outcome_of(call, error, chance_of(self.key_of(call), call.attempt), self._clock.now(), final=final)
        failure, wait = raised.failure, raised.retry_seconds
        which = f"{call.execution.id}/{call.activity.name}-{call.command} attempt {call.attempt}"
        what = on_one_line(f"{failure.type}: {failure.message}")
        if wait is None:
            _log.warning("%s failed: %s; it was the last\n%s", which, what, failure.traceback)
        else:
            _log.warning("%s failed: %s; again in %g s", which, what, wait)
            _log.debug("%s: %s", which, failure.traceback)
        return raised
