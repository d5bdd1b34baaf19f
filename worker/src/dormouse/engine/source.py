"""Which line of the user's code asked for this?"""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from types import CodeType, FrameType

_ASYNCIO = str(PurePath(asyncio.__file__).parent)
_OWN_LOOP = str(PurePath("dormouse", "engine", "loop.py"))
_DEEPEST = 8
_MOST_REMEMBERED = 4096
_remembered: dict[tuple[int, int], tuple[CodeType, str]] = {}
"""The line of each instruction that has called, since Python finds a line only by counting from the function's first.
The code is kept, so that no other takes its place in memory and with it its number."""


def source_of(frame: FrameType | None) -> str | None:
    """`file.py:line` of this frame or, when asyncio made the call, of the nearest caller outside of asyncio."""
    for _ in range(_DEEPEST):
        if frame is None:
            return None
        known = _remembered.get((id(frame.f_code), frame.f_lasti))
        if known is not None:
            return known[1]
        filename = frame.f_code.co_filename
        if not filename.startswith(_ASYNCIO):
            return None if filename.endswith(_OWN_LOOP) else _line(frame)  # a task's first step: nobody called
        frame = frame.f_back
    return None


def _line(frame: FrameType) -> str:
    line = f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    _remembered[id(frame.f_code), frame.f_lasti] = (frame.f_code, line)
    return line
