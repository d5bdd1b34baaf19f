"""Do executions that were recorded elsewhere go on with the present code? Their logs are replayed, and nothing runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from dormouse.client.file import DatabaseFile
from dormouse.client.opening import NotReadable
from dormouse.engine.definitions import Workflow
from dormouse.engine.execution import Execution
from dormouse.engine.guard import guard
from dormouse.engine.journal import Event, Journal
from dormouse.engine.loop import WorkflowLoop
from dormouse.engine.mismatch import Blocked, blocked_by_absence, of_a_replay
from dormouse.engine.querying import Row
from dormouse.engine.replay import replay as replay_log
from dormouse.engine.requests import by_name
from dormouse.engine.sealing import Codec
from dormouse.errors import DormouseError

__tracebackhide__ = True


class NotReplayed(DormouseError):
    """Some executions could not go on with the present code.

    Attributes:
        blocked: why, by the executions as `replay` names them.
    """

    def __init__(self, recorded: Path, blocked: dict[str, Blocked]) -> None:
        self.blocked = blocked
        lines = [f"{execution}: {_explained(why)}" for execution, why in blocked.items()]
        super().__init__(f"{recorded}: {len(lines)} cannot go on with this code\n" + "\n".join(lines))


def replay(
    recorded: Path | str, workflows: ModuleType | Iterable[Workflow[..., Any]], *, codec: Codec | None = None
) -> list[str]:
    """Run the code over the logs of all executions of a database file, or of all files `*.sqlite` of a folder.

    The files are only read. Gives the executions' ids; of a folder each with its file, as `file.sqlite/id`.
    `codec` is that of the files, if they have one.

    Raises:
        NotReplayed: when the code asks for something else than a log holds.
        NotReadable: when there is no such file, or it is none of Dormouse; or no file in the folder.
    """
    path, known = Path(recorded), by_name(workflows)
    ends: dict[str, Blocked | None] = {}
    # Elsewhere, because the loop of a test that is async cannot run a workflow's as well.
    with ThreadPoolExecutor(1) as elsewhere:
        for file, prefix in _files(path):
            with DatabaseFile(file, codec) as database:
                for row in database.rows():
                    ends[prefix + row.id] = elsewhere.submit(why_blocked, row, database.events(row), known).result()
    blocked = {execution: why for execution, why in ends.items() if why is not None}
    if blocked:
        raise NotReplayed(path, blocked)
    return list(ends)


def _files(path: Path) -> list[tuple[Path, str]]:
    """The files, and what is put before the ids of their executions."""
    if not path.is_dir():
        return [(path, "")]
    files = sorted(path.glob("*.sqlite"))
    if not files:
        raise NotReadable(f"there is no file *.sqlite in the folder {path}, so nothing was replayed")
    return [(file, f"{file.name}/") for file in files]


def why_blocked(row: Row, events: list[Event], known: Mapping[str, Workflow[..., Any]]) -> Blocked | None:
    """Why it could not go on; an execution that has ended needs its workflow no more."""
    workflow = known.get(row.workflow)
    if workflow is None:
        return None if row.status.closed else of_a_replay(blocked_by_absence(row.workflow, list(known)))
    guard(WorkflowLoop)
    journal = Journal(events[-1].position + 1)
    execution = Execution(journal, row.key, row.id, workflow, row.seed, row.origin)
    replay_log(execution, journal, events[:-1] if row.status.closed else events)
    blocked = execution.blocked
    execution.dispose()
    return None if blocked is None else of_a_replay(blocked)


def _explained(why: Blocked) -> str:
    return why.message if why.suggestion is None else f"{why.message}\n{why.suggestion}"
