"""Whose log record is this, and is it news? What a workflow's code has said before a restart it does not say again."""

from __future__ import annotations

import asyncio
import logging

from dormouse.engine.info import Whose, attempt_context
from dormouse.engine.loop import WorkflowLoop

_real_handle = logging.Logger.handle


def know_records() -> None:
    """Mark records, and drop those of a replay, from now on in this process.

    Python has no hook for that: a factory of records cannot drop one, and a filter would have to be on each handler.
    """
    logging.Logger.handle = _handle  # type: ignore[assignment, method-assign]


def _handle(logger: logging.Logger, record: logging.LogRecord) -> None:
    loop = asyncio._get_running_loop()
    if isinstance(loop, WorkflowLoop):
        if loop.host.replaying:
            return
        _mark(record, loop.host.whose)
    else:
        attempt = attempt_context.get(None)
        if attempt is not None:
            _mark(record, attempt.whose)
    _real_handle(logger, record)


def _mark(record: logging.LogRecord, whose: Whose) -> None:
    """What the code itself has put there stays."""
    for name, value in whose._asdict().items():
        if value is not None:
            record.__dict__.setdefault(name, value)
