"""How does a program end that has used the S3 client? Without Python taking itself apart.

A thread of obstore's that wants the interpreter back while that is taken apart is ended by `pthread_exit`, which Rust
answers with `abort()`: the work was done, and the exit code says 134. Seen in 6 of 800 commands that could not reach
their store, on a busy machine, and in 1 of 40 keepers. Python 3.14 lets such threads hang instead.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn


@contextmanager
def ending_at_once() -> Iterator[None]:
    """What exits or fails within ends the process at once if the S3 client was used; other ends are Python's own.

    So is one whose last words cannot be written: Python tells that, with an exit code of its own.
    """
    try:
        yield
    except SystemExit as end:
        if "obstore" in sys.modules and (end.code is None or isinstance(end.code, int)):
            with suppress(OSError):
                end_process(end.code or 0)
        raise
    except Exception as error:
        if "obstore" in sys.modules:
            sys.excepthook(type(error), error, error.__traceback__)
            with suppress(OSError):
                end_process(1)
        raise


def end_process(code: int) -> NoReturn:
    """End at once, with all said that was to be said; handlers of `atexit` do not run.

    Parameters:
        code: the exit code.

    Raises:
        OSError: what was said cannot be written.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
