"""At which lines do the tasks wait that a workflow leaves behind when it ends?"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterable
from pathlib import PurePath
from typing import Any

_log = logging.getLogger("dormouse.workflow")
_MACHINERY = str(PurePath(__file__).parent)


def tell_of_tasks(execution_id: str, coroutines: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Warn of what was begun and will never be finished: nothing else would tell."""
    lines = [line for line in map(line_of, coroutines) if line is not None]
    if lines:
        _log.warning(
            "execution %r has ended and leaves behind what waits at %s; nothing more of it happens. "
            "Await your tasks, or begin them in an asyncio.TaskGroup",
            execution_id,
            ", ".join(lines),
        )


def line_of(coroutine: Any) -> str | None:
    """Of the author's code; None where it has none, as an update has that was accepted and is not done."""
    frame = getattr(coroutine, "cr_frame", None)
    if frame is None:
        return None
    filename = frame.f_code.co_filename
    if filename.startswith(_MACHINERY):
        made: str | None = frame.f_locals.get("source")  # a task of nothing but a call, which knows where it was made
        return made
    return f"{PurePath(filename).name}:{frame.f_lineno}"
