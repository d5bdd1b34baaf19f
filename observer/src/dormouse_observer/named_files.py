"""Which files does a verb look at, when it may be given folders too?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dormouse.client.opening import NotReadable


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files, and of each folder all `*.sqlite`.

    Raises:
        NotReadable: when a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.sqlite")) if path.is_dir() else [path]
        if not inside:
            raise NotReadable(f"there is no file *.sqlite in the folder {path}")
        found += inside
    return found
