"""Which files are meant by a module's name or a path? Nothing is imported to find out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_LEFT_OUT = {"__pycache__", "node_modules", "site-packages"}


class NothingThere(Exception):
    """Neither a path nor a module; the message says where it was looked for."""


def files_of(target: str, search: Sequence[str]) -> list[Path]:
    """The Python files of a file, a folder, a module or a package.

    Args:
        target: a path, or a module's name.
        search: the folders in which modules are looked for.

    Raises:
        NothingThere: with what to do.
    """
    path = Path(target)
    if path.is_dir():
        return sorted(_below(path))
    if path.is_file():
        return [path]
    for folder in search:
        module = Path(folder, *target.split("."))
        if module.with_name(f"{module.name}.py").is_file():
            return [module.with_name(f"{module.name}.py")]
        if module.joinpath("__init__.py").is_file():
            return sorted(_below(module))
    raise NothingThere(f"{target} is no file, no folder, and no module that can be imported here")


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not _is_environment(root, name)]
        yield from (Path(root, name) for name in _python(names))


def _is_environment(root: str, name: str) -> bool:
    return name.startswith(".") or Path(root, name, "pyvenv.cfg").exists()


def _python(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if name.endswith(".py"))
