"""How is a failure of the store told, so that the same failure always reads the same?"""

from __future__ import annotations

import re

from dormouse_operator.api import ObjectStore

_DURATION = re.compile(r" in [0-9.]+(ns|µs|ms|s)\b")  # would make every message a new one


def told(what: str, store: ObjectStore, failed: Exception) -> str:
    """One line: what was tried, where, and what came of it."""
    said = _DURATION.sub("", str(failed))
    return f"{what} {store.spec.endpoint or 'S3'}: {type(failed).__name__}: {said}".rstrip(": ")
