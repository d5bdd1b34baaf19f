"""Does something keep the event loop from going on? A thread that looks, and says where it is stuck."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from traceback import StackSummary, walk_stack

from dormouse.engine.payload import STANDARD_LIBRARY

_log = logging.getLogger("dormouse.loop")
_MACHINERY = (str(PurePath(__file__).parent), str(PurePath(asyncio.__file__).parent))
_DATABASE = str(PurePath(__file__).with_name("database.py"))
"""Whose code is the innermost while SQLite waits."""
_FRAMES = 12


class LoopWatch:
    """Asks the loop of the thread that made it for a sign of life, as long as something runs on it.

    Args:
        busy: whether something runs.
        seconds: how long the loop may keep it waiting.
    """

    def __init__(self, busy: Callable[[], bool], seconds: float) -> None:
        self._busy = busy
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._needed = threading.Event()
        self._answered = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._over_code = False
        self.stalls = 0
        """How often it kept it waiting for longer."""

    @contextmanager
    def over_code(self) -> Iterator[None]:
        """A workflow's code runs, which may never come to an end."""
        self._over_code = True
        self.go_on()
        try:
            yield
        finally:
            self._over_code = False

    def go_on(self) -> None:
        """Something runs now."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="dormouse-watch", daemon=True)
            self._thread.start()
        if not self._needed.is_set():
            self._needed.set()

    def _is_needed(self) -> bool:
        return self._over_code or self._busy()

    def stop(self) -> None:
        self._stopped.set()
        self._needed.set()
        self._answered.set()

    def _watch(self) -> None:
        while self._needed.wait() and not self._stopped.is_set():
            self._answered.clear()
            try:
                self._loop.call_soon_threadsafe(self._answered.set)
            except RuntimeError:  # it is closed
                return
            if not self._answered.wait(self._seconds):
                self.stalls += 1
                self._tell()
                self._answered.wait()
            self._stopped.wait(self._seconds)
            if not self._is_needed():
                self._needed.clear()
                if self._is_needed() or self._stopped.is_set():  # just now
                    self._needed.set()

    def _tell(self) -> None:
        frame = sys._current_frames().get(self._watched)
        if frame is None or self._stopped.is_set():
            return
        frames = StackSummary.extract(walk_stack(frame), limit=64, lookup_lines=False)
        frames.reverse()
        blocked = f"the event loop has been blocked for {self._seconds:g} s by"
        _log.warning("%s %s", blocked, culprit(frames))


def culprit(frames: StackSummary) -> str:
    """What keeps the loop, whose innermost frame is the last, and what to do about it."""
    if frames[-1].filename == _DATABASE:
        return "the disk, or by another process that locks the file, and nothing else goes on meanwhile"
    own = [one for one in frames if not one.filename.startswith(_MACHINERY)]
    users = [one for one in own if not one.filename.startswith(STANDARD_LIBRARY)] or own
    where = f"{PurePath(users[-1].filename).name}:{users[-1].lineno} in {users[-1].name}" if users else "the engine"
    stack = "".join(StackSummary.from_list(own[-_FRAMES:]).format())
    return (
        f"{where}, and nothing else goes on meanwhile. An activity that waits without `await` is best a plain `def`: "
        f"those run in threads. A workflow leaves what takes long to activities.\n{stack}"
    )
