"""How is a failure of the store told?"""

from __future__ import annotations

from dormouse_operator.api import ObjectStore


def told(what: str, store: ObjectStore, failed: Exception, before: str = "") -> str:
    """One line: what was tried, where, and what came of it; as it was told before, if that is the same trouble."""
    kind = f"{what} {store.spec.endpoint or 'S3'}: {type(failed).__name__}"
    if before == kind or before.startswith(f"{kind}: "):
        return before
    return f"{kind}: {failed}".rstrip(": ")
