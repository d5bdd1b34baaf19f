"""What does an API server make of a document and a JSON merge patch (RFC 7396)?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(known: Any, patch: Any) -> Any:
    """What becomes of what is known; neither of the two is changed."""
    if not isinstance(patch, Mapping):
        return patch
    made = {**known} if isinstance(known, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made
