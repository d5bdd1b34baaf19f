"""`python -m dormouse.keeper`: the native sidecar of a pod, in as little memory as it can do with."""

from __future__ import annotations

import ctypes
import os
import sys

from dormouse.ending import end_process

_M_ARENA_MAX = -8  # of glibc's malloc.h


def _run() -> int:
    # The store's client has one request under way at a time, and would start a thread for each core of the node.
    os.environ.setdefault("TOKIO_WORKER_THREADS", "1")
    # glibc would give each thread a heap of its own. Other libraries have no such function.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_ARENA_MAX, 1)
    # asyncio would load OpenSSL, 4 MiB, for connections that nobody makes here: the store's client has its own.
    sys.modules["ssl"] = None  # type: ignore[assignment]
    from dormouse.keeper.process import main

    return main()


if __name__ == "__main__":
    end_process(_run())
