"""Which workflows does the user's module offer? Importing it, and saying why that failed."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from traceback import format_exception_only
from types import ModuleType

from dormouse.engine.payload import users_line


class EntrypointFailed(Exception):
    """The module does not import; the message is the last line of its traceback, and where."""


class NoModule(EntrypointFailed):
    """There is none of this name."""


def load(name: str, source: Path) -> ModuleType:
    """Import the module; files in `source` win over the image's.

    Raises:
        EntrypointFailed: with the user's mistake.
    """
    if source.is_dir():
        sys.path.insert(0, str(source))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise EntrypointFailed(_explain(name, error)) from error
        searched = " or in ".join(_searched(source))
        raise NoModule(f"there is no module {name!r} in {searched}; check spec.entrypoint") from error
    except (Exception, SystemExit) as error:
        raise EntrypointFailed(_explain(name, error)) from error


def _searched(source: Path) -> list[str]:
    """Where a person can put the module: a path that was set stands in for the image."""
    folders = [str(source)] if source.is_dir() else []
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [*folders, *(filter(None, paths) if any(paths) else ["the image"])]


def _explain(name: str, error: BaseException) -> str:
    line = "".join(format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError):
        return f"{line} ({Path(error.filename or name).name}:{error.lineno})"
    trace = error.__traceback__
    at = users_line(trace.tb_next if trace else None)  # the first frame is ours
    return line if at is None else f"{line} ({at})"
