"""How is one attempt of an activity run? As a task of the ordinary loop or, when it is not async, in a thread."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import msgspec

from dormouse.engine.execution import ActivityCall
from dormouse.engine.info import ActivityInfo, activity_context
from dormouse.engine.payload import Failure, encode, failure_of, on_one_line
from dormouse.engine.retry import seconds_until_retry
from dormouse.errors import InvalidDefinition

_log = logging.getLogger("dormouse.activity")


_CANCELLED_WITHIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Succeeded:
    payload: bytes
    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    failure: Failure
    retry_seconds: float | None


Outcome = Succeeded | Raised


class Attempts:
    """Runs attempts, a bounded number at a time, and reports how each ended."""

    def __init__(
        self, report: Callable[[ActivityCall, Outcome], None], identity: str, *, at_once: int, threads: int
    ) -> None:
        self._report = report
        self._identity = identity
        self._at_once = at_once
        self._running: dict[ActivityCall, asyncio.Task[None]] = {}
        self._queued: deque[ActivityCall] = deque()
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def __contains__(self, call: ActivityCall) -> bool:
        return call in self._running

    @property
    def idle(self) -> bool:
        return not self._running and not self._queued

    def begin(self, call: ActivityCall) -> None:
        if len(self._running) >= self._at_once:
            self._queued.append(call)
            return
        self._running[call] = asyncio.get_running_loop().create_task(self._run(call))

    def cancel(self, call: ActivityCall) -> None:
        """The workflow does not wait for it any more."""
        task = self._running.get(call)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Cancel what runs.

        Threads cannot be cancelled, and a coroutine may swallow it: after a while nobody listens to them any more.
        """
        self._queued.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCELLED_WITHIN_SECONDS)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: ActivityCall) -> None:
        outcome: Outcome
        try:
            outcome = await self._outcome(call)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                return
            outcome = self._raised(call, error)
        finally:
            del self._running[call]
            self._begin_queued()
        self._report(call, outcome)

    def _begin_queued(self) -> None:
        while self._queued and len(self._running) < self._at_once:
            call = self._queued.popleft()
            if not call.done():
                self.begin(call)

    async def _outcome(self, call: ActivityCall) -> Outcome:
        activity = call.activity
        try:
            activity.check()
            args, kwargs = activity.arguments.decode(call.payload)
        except InvalidDefinition as error:
            return self._raised(call, error, final=True)
        except msgspec.ValidationError as error:
            return self._raised(call, TypeError(f"the arguments of {activity.name} do not fit: {error}"), final=True)
        execution = call.execution.id
        key = f"{self._identity}/{execution}/{call.command}"
        activity_context.set(ActivityInfo(execution, activity.name, call.attempt, key))
        try:
            if activity.start_to_close_seconds is None:
                returned = await self._call(call, args, kwargs)
            else:
                returned = await self._call_in_time(call, args, kwargs, activity.start_to_close_seconds)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's code raises is recorded
            return self._raised(call, error)
        try:
            payload = encode(returned)
            return Succeeded(payload, activity.result.decode(payload))
        except (TypeError, msgspec.ValidationError) as error:
            return self._raised(call, TypeError(f"the result of {activity.name} does not fit: {error}"), final=True)

    async def _call(self, call: ActivityCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        function: Callable[..., Any] = call.activity.function
        if call.activity.is_async:
            return await function(*args, **kwargs)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="dormouse-activity")
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: context.run(function, *args, **kwargs)
        )

    async def _call_in_time(
        self, call: ActivityCall, args: tuple[Any, ...], kwargs: dict[str, Any], seconds: float
    ) -> Any:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._call(call, args, kwargs)
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"it took longer than start_to_close_seconds={seconds:g}") from None
            raise

    def _raised(self, call: ActivityCall, error: BaseException, *, final: bool = False) -> Raised:
        activity = call.activity
        wait = None if final else seconds_until_retry(activity.retry, call.attempt, error)
        failure = failure_of(error)
        which = f"{call.execution.id}/{activity.name}-{call.command} attempt {call.attempt}"
        what = on_one_line(f"{failure.type}: {failure.message}")
        if wait is None:
            _log.warning("%s failed: %s; it was the last\n%s", which, what, failure.traceback)
        else:
            _log.warning("%s failed: %s; again in %g s", which, what, wait)
            _log.debug("%s: %s", which, failure.traceback)
        return Raised(failure, wait)
