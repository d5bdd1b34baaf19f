"""Which workflows does the user's module offer? Importing it, and saying why that failed."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from pathlib import Path
from traceback import extract_tb, format_exception_only
from types import ModuleType

_log = logging.getLogger("dormouse.runtime")


class EntrypointFailed(Exception):
    """The module does not import; the message is the last line of its traceback, and where."""


def load(name: str, source: Path) -> ModuleType:
    """Import the module; files in `source` win over the image's.

    Raises:
        EntrypointFailed: with the user's mistake.
    """
    if source.is_dir():
        sys.path.insert(0, str(source))
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        _log.exception("the entrypoint %s does not import", name)
        raise EntrypointFailed(_explain(name, source, error)) from error


def _searched(source: Path) -> list[str]:
    """Where a person can put the module: a path that was set stands in for the image."""
    folders = [str(source)] if source.is_dir() else []
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [*folders, *(filter(None, paths) if any(paths) else ["the image"])]


def _explain(name: str, source: Path, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == name:
        return f"there is no module {name!r} in {' or in '.join(_searched(source))}; check spec.entrypoint"
    line = "".join(format_exception_only(error)).strip().splitlines()[-1]
    frames = [frame for frame in extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    if isinstance(error, SyntaxError):
        return f"{line} ({Path(error.filename or name).name}:{error.lineno})"
    return f"{line} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else line
