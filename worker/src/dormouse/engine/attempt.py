"""How long may one attempt of an activity go on, and who hears its heartbeats?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from dormouse.engine.calls import ActivityCall
from dormouse.engine.clock import SECOND
from dormouse.engine.options import ActivityOptions
from dormouse.engine.payload import encode


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


class RunningAttempt:
    """One attempt while it runs. `beat` may be called from any thread."""

    def __init__(self, call: ActivityCall, limit: Limit | None, keep: Callable[[ActivityCall, bytes], None]) -> None:
        self._call = call
        self._limit = limit
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._timeout: asyncio.Timeout | None = None
        self._over = False
        self._began = self._last_beat = self._loop.time()

    def beat(self, details: Any) -> None:
        """Raises CancelledError when the attempt is over, which a thread cannot know in another way."""
        if self._over:
            raise asyncio.CancelledError("nobody waits for this attempt any more")
        payload = None if details is None else encode(details)
        if threading.get_ident() == self._thread:
            self._hear(payload)
        else:
            self._loop.call_soon_threadsafe(self._hear, payload)

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run it within its limits.

        Raises:
            TookTooLong: naming the option.
        """
        try:
            if self._limit is None and self._call.activity.options.heartbeat_seconds is None:
                return await work
            self._timeout = asyncio.timeout_at(self._ends_at())
            return await self._in_time(work, self._timeout)
        finally:
            self._over = True

    async def _in_time(self, work: Coroutine[Any, Any, Any], limit: asyncio.Timeout) -> Any:
        try:
            async with limit:
                return await work
        except TimeoutError:
            if limit.expired():
                raise self._too_long() from None
            raise

    def _too_long(self) -> TookTooLong:
        if self._limit is not None and self._loop.time() >= self._began + self._limit.seconds:
            return TookTooLong(self._limit.message, final=self._limit.final)
        return TookTooLong(f"no heartbeat within heartbeat_seconds={self._call.activity.options.heartbeat_seconds:g}")

    def _ends_at(self) -> float:
        silence = self._call.activity.options.heartbeat_seconds
        ends = [] if silence is None else [self._last_beat + silence]
        return min([*ends, *([] if self._limit is None else [self._began + self._limit.seconds])])

    def _hear(self, payload: bytes | None) -> None:
        if self._over:
            return
        self._last_beat = self._loop.time()
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(self._ends_at())
        if payload is not None:
            self._keep(self._call, payload)
