"""How does a child process end with its parent, whatever ends that?"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None]:
    """What the child does first. The library is loaded here: between fork and exec of a process with threads, only a
    call of the kernel is safe."""
    prctl = ctypes.CDLL(None).prctl

    def die() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return die
