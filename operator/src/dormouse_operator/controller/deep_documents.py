"""What if an object is nested more deeply than Python's decoders go? Whoever wrote it must not keep all others waiting.

The API server takes ten thousand levels from anybody who may create an object, as the input of a workflow or in its
template. Python gives up at a thousand: no list and no watch with such an object in it could be read any more.
"""

from __future__ import annotations

import re
import sys
import threading
from typing import Any

import msgspec

_LEVELS = 12_000
"""Those that Go decodes, with what a list and our own calls add: more, from elsewhere, is an error and no crash."""
_STACK_BYTES = 16 * 1024**2
"""Of threads: ten thousand levels take 4 MiB of it."""
_KEPT_LEVELS = 500
"""More than a workflow may have, so that the plan still refuses what was cut."""
_BRACKETS_AND_TEXTS = re.compile(rb'[{}\[\]]|"(?:[^"\\]|\\.)*+"')


def allow_deep_documents() -> None:
    """For this process, and the threads that it starts from now on: kopf decodes by itself."""
    sys.setrecursionlimit(max(_LEVELS, sys.getrecursionlimit()))
    threading.stack_size(_STACK_BYTES)


def decode(data: bytes, kind: Any = Any) -> Any:
    """The JSON, by itself of any kind; where it is nested more deeply than Python decodes, null.

    Raises msgspec.DecodeError.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        return msgspec.json.decode(_cut(data), type=kind)


def _cut(data: bytes) -> bytes:
    depth, begins, kept, rest = 0, 0, list[bytes](), 0
    for found in _BRACKETS_AND_TEXTS.finditer(data):
        match data[found.start()]:
            case 0x7B | 0x5B:  # { [
                depth += 1
                if depth == _KEPT_LEVELS + 1:
                    begins = found.start()
            case 0x7D | 0x5D:  # } ]
                if depth == _KEPT_LEVELS + 1:
                    kept += (data[rest:begins], b"null")
                    rest = found.end()
                depth -= 1
    return b"".join((*kept, data[rest:]))
