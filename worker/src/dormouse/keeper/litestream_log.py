"""How do Litestream's lines come into the keeper's log? As records, with its own moments, levels and fields."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from dormouse.logs import ProgramRecord

LONGEST_BYTES = 65536
"""A line beyond this is passed on in pieces: memory stays bounded whatever is printed."""

_NAME = "litestream"
_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
_LAST_WORDS_SECONDS = 1.0
"""Whoever it started itself may hold its pipe a little longer."""


def record_of(line: bytes, now: float) -> ProgramRecord:
    """A line of Litestream's log; what is none, such as the words of a crash, counts as an error said `now`."""
    try:
        fields = json.loads(line, object_pairs_hook=_each_field)
        message, level = fields.pop("msg"), str(fields.pop("level"))
        moment = datetime.fromisoformat(fields.pop("time")).timestamp()
    except (ValueError, KeyError, TypeError, AttributeError):
        return ProgramRecord(_NAME, logging.ERROR, line.decode(errors="replace"), now)
    number = next((number for word, number in _LEVELS.items() if level.startswith(word)), logging.INFO)
    return ProgramRecord(_NAME, number, str(message), moment, fields)


def _each_field(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Litestream has fields of the name that its log gives to a line's own level, which comes first."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        fields[f"{_NAME}.{name}" if name in fields else name] = value
    return fields


def lines_of(begun: bytes, chunk: bytes) -> tuple[list[bytes], bytes]:
    """The lines that are complete now, and what has begun of the next one."""
    *lines, rest = (begun + chunk).split(b"\n")
    while len(rest) >= LONGEST_BYTES:
        lines.append(rest[:LONGEST_BYTES])
        rest = rest[LONGEST_BYTES:]
    return [line for line in lines if line.strip()], rest


class LitestreamLog:
    """A pipe for what one child prints. While this process does not read, a child that prints more waits."""

    def __init__(self) -> None:
        """Needs a running event loop, which reads from now on; the child is given `sink`."""
        self._source, self.sink = os.pipe()
        os.set_blocking(self._source, False)
        self._begun = b""
        self._over = asyncio.Event()
        self._log = logging.getLogger(_NAME)
        asyncio.get_running_loop().add_reader(self._source, self._take)

    def given(self) -> None:
        """The child has `sink`, or there will be none: the pipe ends with whoever else has it."""
        os.close(self.sink)

    async def ended(self) -> None:
        """Pass on what a child has left that has ended, and close the pipe."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._over.wait()
        self._close()

    def _take(self) -> None:
        with suppress(BlockingIOError):
            chunk = os.read(self._source, LONGEST_BYTES)
            self._pass_on(chunk)
            if not chunk:
                self._close()

    def _pass_on(self, chunk: bytes) -> None:
        lines, self._begun = lines_of(self._begun, chunk)
        for line in lines:
            record = record_of(line, time.time())
            if self._log.isEnabledFor(record.levelno):
                self._log.handle(record)

    def _close(self) -> None:
        if not self._over.is_set():
            self._over.set()
            self._pass_on(b"\n")
            asyncio.get_running_loop().remove_reader(self._source)
            os.close(self._source)
