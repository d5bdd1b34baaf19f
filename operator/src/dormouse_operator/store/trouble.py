"""How is a failure of the store told?"""

from __future__ import annotations

from dormouse_operator.api import ObjectStore


def told(what: str, store: ObjectStore, failed: Exception) -> str:
    """One line: what was tried, where, and what came of it."""
    return f"{what} {store.spec.endpoint or 'S3'}: {type(failed).__name__}: {failed}".rstrip(": ")
