"""How do keeper and runtime talk? JSON lines over a Unix socket, version 1.

Request `{"v": 1, "id": n, "op": "gate" | "barrier" | "status" | "seal", ...}`; answer `{"id": n, "ok": true, ...}` or
`{"id": n, "ok": false, "error": "Fenced", "message": "..."}`; and, unasked, `{"event": "fenced", "message": "..."}`.

    gate       -> epoch, identity, restoredFrom, allInStore, wantsStatus, provesOwnership, steps
    barrier    timeout -> position
    ownership  within -> epoch, secondsAgo: so long ago the store showed this life as the owner of its epoch
    status     status: what `dormouse.keeper.report.RuntimeStatus` holds; sent on change, if the gate's answer wants it
    drill      -> position, path, problems
    seal       reason, nextWakeAt -> position

What of it is for guests, and will stay: docs/guests.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = 1


def line(message: dict[str, Any]) -> bytes:
    """One message, ready to send."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def answers(numbers: Sequence[object], message: dict[str, Any]) -> bytes:
    """The same answer to each of these requests, ready to send."""
    rest = line(message)[1:]
    return b"".join(b'{"id":%s,%s' % (json.dumps(number).encode(), rest) for number in numbers)


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name for a socket that fits the 108 bytes which the kernel allows, however deep its folder is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
