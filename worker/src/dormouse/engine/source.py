"""Which line of the user's code asked for this?"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import PurePath
from types import CodeType, FrameType

_BETWEEN = (str(PurePath(asyncio.__file__).parent), contextlib.__file__)
"""What calls for the user: a group of tasks, or a stack of what is to be undone."""
_OWN_LOOP = str(PurePath("dormouse", "engine", "loop.py"))
_DEEPEST = 8
_MOST_REMEMBERED = 4096
_remembered: dict[tuple[bytes, int], tuple[CodeType, str]] = {}
"""The line of each instruction that has called, since Python finds a line only by counting from the function's first.
By the bytes that say which lines a code has, and instruction: those remember their hash, while that of the code itself
takes long, and its `id` would be told to every audit hook."""


def source_of(frame: FrameType | None) -> str | None:
    """`file.py:line` of this frame or, when asyncio or contextlib made the call, of the nearest other caller."""
    deep = 0
    while frame is not None and deep < _DEEPEST:
        deep += 1
        code = frame.f_code
        known = _remembered.get((code.co_linetable, frame.f_lasti))
        if known is not None and known[0] is code:
            return known[1]
        filename = code.co_filename
        if not filename.startswith(_BETWEEN):
            return None if filename.endswith(_OWN_LOOP) else _line(frame)  # a task's first step: nobody called
        frame = frame.f_back
    return None


def _line(frame: FrameType) -> str:
    code = frame.f_code
    line = f"{PurePath(code.co_filename).name}:{frame.f_lineno}"
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    _remembered[code.co_linetable, frame.f_lasti] = (code, line)
    return line
