"""Who waits for the disk? A thread that does one thing after the other, or the loop, when it has nothing else to do.

An executor would do as well, but each of its futures has locks, and around each lock the thread and the loop wait for
each other's Python. This one takes it twice for a commit: when it begins, and when the disk is done. Whom Python lets
wait gets it after 5 ms at the latest, and nobody hurries: where the loop has much to do it has to step back itself, and
where it has nothing left to do, to wait for the thread is quicker than to be woken by it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

Work = Callable[[], None]
Done = Callable[[Exception | None], None]
"""Told, on the loop, what went wrong."""


class DiskThread:
    """Works for the loop that runs now; it begins with the first work."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._todo: SimpleQueue[tuple[Work, Done, bool] | None] = SimpleQueue()
        self._ended: SimpleQueue[tuple[Done, Exception | None]] = SimpleQueue()
        self._under_way = 0
        self._is_waited_for = False
        self._thread: threading.Thread | None = None
        self._has_begun = threading.Lock()
        self._has_begun.acquire()

    def do(self, work: Work, done: Done, *, at_once: bool = False) -> None:
        """Do this after all that was given before; `at_once` waits until it has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dormouse-commit", daemon=True)
            self._thread.start()
        self._under_way += 1
        self._todo.put((work, done, at_once))
        if at_once:
            self._has_begun.acquire()

    def do_here(self, work: Work, done: Done) -> None:
        """Do this now, on the loop, where the thread has nothing to do; `done` is told in the loop's next round."""
        self._loop.call_soon(done, _error_of(work))

    def wait(self, seconds: float) -> None:
        """Until the oldest work is over, but no longer than this; whom it concerns is told before it returns."""
        if not self._under_way:
            return
        self._is_waited_for = True
        try:
            done, error = self._ended.get(timeout=seconds)
        except Empty:
            self._is_waited_for = False
            self._tell()  # what has ended before it could know that nobody waits any more
            return
        self._is_waited_for = False
        self._under_way -= 1
        done(error)

    def _tell(self) -> None:
        try:
            done, error = self._ended.get_nowait()
        except Empty:
            return  # it was waited for
        self._under_way -= 1
        done(error)

    def stop(self) -> None:
        """Once all is done."""
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (given := self._todo.get()) is not None:
            work, done, at_once = given
            if at_once:
                self._has_begun.release()
            self._ended.put((done, _error_of(work)))
            del given, work, done  # a batch may be large, and the next one come late
            if self._is_waited_for:
                continue
            try:
                self._loop.call_soon_threadsafe(self._tell)
            except RuntimeError:  # it is closed
                return


def _error_of(work: Work) -> Exception | None:
    """What goes wrong with it."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - who gave it knows what it means
        return error
    return None
