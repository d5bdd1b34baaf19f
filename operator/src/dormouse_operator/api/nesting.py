"""How deeply may a value be nested? So deeply that no program that works on it gives up."""

from typing import Any

from dormouse_operator.api.invalid import InvalidManifest

DEEPEST = 64


def check_nesting(value: Any, path: str) -> None:
    """Of what the definitions leave open. Raises InvalidManifest."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            raise too_deep(path)
        level = [inner for each in level for inner in _inside(each)]
        depth += 1


def too_deep(path: str) -> InvalidManifest:
    """What stands there is."""
    return InvalidManifest(path, f"is nested more than {DEEPEST} levels deep", "make it flatter")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
