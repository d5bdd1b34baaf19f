"""`python -m dormouse.keeper`: the native sidecar of a pod, in as little memory as it can do with."""

from __future__ import annotations

import logging
import os
import sys


def _run() -> int:
    # asyncio would load OpenSSL, 4 MiB, for connections that nobody makes here: the store's client has its own.
    sys.modules["ssl"] = None  # type: ignore[assignment]
    from dormouse.keeper.process import main

    return main()


if __name__ == "__main__":
    exit_code = _run()
    logging.shutdown()
    # A thread of obstore's that wakes while Python takes itself apart aborts the process (seen in 1 of 40 exits).
    os._exit(exit_code)
