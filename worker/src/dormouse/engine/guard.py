"""What must a workflow's code not touch by itself? Files, the network, threads, processes; and the clock stands still.

Python's audit events tell of the first four, in whatever library they happen. What they do not tell of is not noticed:
docs/writing-workflows.md has the list, and a test holds it against this file.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dormouse.errors import NotInWorkflow

_FILES, _NETWORK, _THREADS = "touch files", "use the network", "start threads"
_PROCESSES = "start or signal processes"
_REFUSED = {
    "open": _FILES,
    "os.chdir": _FILES,
    "os.chmod": _FILES,
    "os.chown": _FILES,
    "os.link": _FILES,
    "os.listdir": _FILES,
    "os.mkdir": _FILES,
    "os.remove": _FILES,
    "os.rename": _FILES,
    "os.rmdir": _FILES,
    "os.scandir": _FILES,
    "os.symlink": _FILES,
    "os.truncate": _FILES,
    "os.utime": _FILES,
    "sqlite3.connect": _FILES,
    "socket.__new__": _NETWORK,
    "socket.getaddrinfo": _NETWORK,
    "socket.gethostbyname": _NETWORK,
    "os.exec": _PROCESSES,
    "os.fork": _PROCESSES,
    "os.forkpty": _PROCESSES,
    "os.kill": _PROCESSES,
    "os.killpg": _PROCESSES,
    "os.posix_spawn": _PROCESSES,
    "os.system": _PROCESSES,
    "subprocess.Popen": _PROCESSES,
}
# Python itself reads modules, and source lines for tracebacks; a log may open its file late.
_PYTHONS_OWN = ("<frozen importlib", "<frozen zipimport", "linecache.py", "tokenize.py", "logging/__init__.py")
_DEEPEST = 12
_PDB = (
    "a workflow cannot stop in pdb while it runs: `dormouse debug FILE --code CODE` goes over its log again, and stops "
    "at a breakpoint()"
)
_real_start = threading.Thread.start
_real_time, _real_time_ns = time.time, time.time_ns
_guarded: list[type[Any]] = []


def guard(loops: type[Any]) -> None:
    """Refuse such things from now on to code that runs on a loop of this class. Cannot be undone in a process."""
    if not _guarded:
        _guarded.append(loops)
        sys.addaudithook(_audit)
        threading.Thread.start = _start_thread  # type: ignore[assignment, method-assign] # 3.11 has no event


def _start_thread(thread: threading.Thread) -> None:
    if isinstance(asyncio._get_running_loop(), _guarded[0]):
        raise NotInWorkflow(f"a workflow must not {_THREADS} itself; do that in an @activity and await it")
    _real_start(thread)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _REFUSED:  # nearly all, and `source_of` brings about two in each step
        return
    if not isinstance(asyncio._get_running_loop(), _guarded[0]) or _is_pythons_own():
        return
    what = _REFUSED[event]
    if _begins_pdb():
        raise NotInWorkflow(_PDB)
    about = f" {arguments[0]!r}" if arguments and isinstance(arguments[0], str | bytes) else ""
    raise NotInWorkflow(f"a workflow must not {what} itself ({event}{about}); do that in an @activity and await it")


def _begins_pdb() -> bool:
    """It reads its .pdbrc first, whatever has begun it: `breakpoint()`, its own functions, or pytest."""
    code = sys._getframe(2).f_code
    return code.co_name == "__init__" and code.co_filename.endswith("/pdb.py")


def _is_pythons_own() -> bool:
    frame = sys._getframe(2)
    for _ in range(_DEEPEST):
        filename = frame.f_code.co_filename
        if filename.startswith(_PYTHONS_OWN[:2]) or filename.endswith(_PYTHONS_OWN[2:]):
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


class Clocks:
    """`time.time` and `time.time_ns` as workflows see them in `standing_still`: the moment of the last event."""

    def __init__(self, moment_ns: Callable[[], int | None]) -> None:
        def time_ns() -> int:
            moment = moment_ns()  # None in another thread
            return _real_time_ns() if moment is None else moment

        def seconds() -> float:
            moment = moment_ns()
            return _real_time() if moment is None else moment / 1_000_000_000

        self._time, self._time_ns = seconds, time_ns

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        before = time.time, time.time_ns
        time.time, time.time_ns = self._time, self._time_ns
        try:
            yield
        finally:
            time.time, time.time_ns = before
