"""Which line of the user's code asked for this?"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import PurePath
from types import FrameType

_ASYNCIO = str(PurePath(asyncio.__file__).parent)
_DEEPEST = 8


@lru_cache(maxsize=4096)
def _line(filename: str, line: int) -> str:
    return f"{PurePath(filename).name}:{line}"


def source_of(frame: FrameType | None) -> str | None:
    """`file.py:line` of this frame or, when asyncio made the call, of the nearest caller outside of asyncio."""
    for _ in range(_DEEPEST):
        if frame is None:
            return None
        filename = frame.f_code.co_filename
        if not filename.startswith(_ASYNCIO):
            if filename.endswith(_OWN_LOOP):  # a task's first step: nobody called
                return None
            return _line(filename, frame.f_lineno)
        frame = frame.f_back
    return None


_OWN_LOOP = str(PurePath("dormouse", "engine", "loop.py"))
