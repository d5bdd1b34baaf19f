"""Which files does a verb look at, when it may be given folders too?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from dormouse.client.opening import NotReadable


class LocalFile(click.ParamType[Path]):
    """A file of this machine. An address as a path would lose a slash, and the reader the reason."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        if "://" in str(value):
            self.fail(f"{value} is an address, and this needs a file; `dormouse pull` brings one", param, ctx)
        return Path(value)


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
