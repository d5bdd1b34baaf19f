"""How long may one attempt of an activity go on, and who hears its heartbeats?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from types import coroutine
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from dormouse.engine.calls import ActivityCall
from dormouse.engine.clock import SECOND
from dormouse.engine.info import ActivityInfo, Whose
from dormouse.engine.options import ActivityOptions
from dormouse.engine.payload import encode

R = TypeVar("R")


class Limit(NamedTuple):
    """Until when, and the option that says so; `final` means that no other attempt can follow."""

    seconds: float
    option: str
    final: bool

    @property
    def message(self) -> str:
        return f"it took longer than {self.option}"


def limit_of(options: ActivityOptions, scheduled_at: int, now: int) -> Limit | None:
    """What bounds an attempt that begins now. Pure."""
    attempt, whole = options.start_to_close_seconds, options.schedule_to_close_seconds
    left = None if whole is None else whole - (now - scheduled_at) / SECOND
    if left is not None and (attempt is None or left <= attempt):
        return Limit(max(0.0, left), f"schedule_to_close_seconds={whole:g}", final=True)
    return None if attempt is None else Limit(attempt, f"start_to_close_seconds={attempt:g}", final=False)


class TookTooLong(Exception):
    """An attempt was ended because of a limit."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Runner(Protocol):
    """Who runs an attempt."""

    loop: asyncio.AbstractEventLoop

    def key_of(self, call: ActivityCall) -> str:
        """The idempotency key of a call."""
        ...

    def heard(self, call: ActivityCall, details: bytes) -> None:
        """The attempt of a call has said something."""
        ...


class RunningAttempt(msgspec.Struct, eq=False):
    """One attempt while it runs. What its code asks and says may come from any thread.

    Attributes:
        over: whether nobody listens to it any more.
    """

    _call: ActivityCall
    _runner: Runner
    _earlier: bytes | None
    _limit: Limit | None = None
    _timeout: asyncio.Timeout | None = None
    _began: float = 0.0
    _last_beat: float = 0.0
    over: bool = False

    @property
    def info(self) -> ActivityInfo:
        call = self._call
        details = None if self._earlier is None else msgspec.json.decode(self._earlier)
        return ActivityInfo(call.execution.id, call.activity.name, call.attempt, self._runner.key_of(call), details)

    @property
    def whose(self) -> Whose:
        call = self._call
        return Whose(call.execution.id, call.execution.workflow.name, call.activity.name, call.attempt)

    def beat(self, details: Any) -> None:
        """Raises CancelledError when the attempt is over, which a thread cannot know in another way."""
        if self.over:
            raise asyncio.CancelledError("nobody waits for this attempt any more")
        payload = None if details is None else encode(details)
        if asyncio._get_running_loop() is self._runner.loop:
            self._hear(payload)
        else:
            self._runner.loop.call_soon_threadsafe(self._hear, payload)

    async def in_time(self, work: Coroutine[Any, Any, Any], limit: Limit | None) -> Any:
        """Run it within its limit, and as long as its heart beats.

        Raises:
            TookTooLong: naming the option.
        """
        self._limit = limit
        self._began = self._last_beat = self._runner.loop.time()
        self._timeout = asyncio.timeout_at(self._ends_at())
        return await self._in_time(work, self._timeout)

    async def _in_time(self, work: Coroutine[Any, Any, Any], limit: asyncio.Timeout) -> Any:
        try:
            async with limit:
                return await work
        except TimeoutError:
            if limit.expired():
                raise self._too_long() from None
            raise

    def _too_long(self) -> TookTooLong:
        if self._limit is not None and self._runner.loop.time() >= self._began + self._limit.seconds:
            return TookTooLong(self._limit.message, final=self._limit.final)
        return TookTooLong(f"no heartbeat within heartbeat_seconds={self._call.activity.options.heartbeat_seconds:g}")

    def _ends_at(self) -> float:
        silence = self._call.activity.options.heartbeat_seconds
        ends = [] if silence is None else [self._last_beat + silence]
        return min([*ends, *([] if self._limit is None else [self._began + self._limit.seconds])])

    def _hear(self, payload: bytes | None) -> None:
        if self.over:
            return
        self._last_beat = self._runner.loop.time()
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(self._ends_at())
        if payload is not None:
            self._runner.heard(self._call, payload)


@coroutine
def rest_of(attempt: Coroutine[Any, Any, R], context: Context, awaited: Any) -> Generator[Any, Any, R]:
    """All steps but the first of an attempt, in its context."""
    while True:
        try:
            step = partial(attempt.send, (yield awaited))
        except GeneratorExit:
            context.run(attempt.close)
            raise
        except BaseException as error:  # noqa: BLE001 - it is the attempt's, as a task would give it
            step = partial(attempt.throw, error)
        try:
            awaited = context.run(step)
        except StopIteration as ended:
            result: R = ended.value
            return result


def without_stopping(function: Callable[[], Any]) -> Any:
    """These would stop whoever waits for the thread, who would then tell nobody of it."""
    try:
        return function()
    except (StopIteration, GeneratorExit) as error:
        raise RuntimeError(f"the activity raised {type(error).__name__}") from error
