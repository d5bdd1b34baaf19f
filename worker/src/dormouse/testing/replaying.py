"""Do executions that were recorded elsewhere go on with the present code? Their logs are replayed, and nothing runs."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from dormouse.client.file import DatabaseFile
from dormouse.engine.database import Row
from dormouse.engine.definitions import Workflow
from dormouse.engine.execution import Execution
from dormouse.engine.guard import guard
from dormouse.engine.journal import Event, Journal
from dormouse.engine.loop import WorkflowLoop
from dormouse.engine.mismatch import Blocked, blocked_by_absence
from dormouse.engine.replay import replay as replay_log
from dormouse.engine.requests import by_name
from dormouse.errors import DormouseError


class NotReplayed(DormouseError):
    """Some executions could not go on with the present code.

    Attributes:
        blocked: why, by the executions' ids.
    """

    def __init__(self, file: Path, blocked: dict[str, Blocked]) -> None:
        self.blocked = blocked
        lines = [f"{execution}: {_explained(why)}" for execution, why in blocked.items()]
        super().__init__(f"{file}: {len(lines)} cannot go on with this code\n" + "\n".join(lines))


def replay(file: Path | str, workflows: ModuleType | Iterable[Workflow[..., Any]]) -> list[str]:
    """Run the code over the logs of all executions of a database file, and give their ids. The file is only read.

    Raises:
        NotReplayed: when the code asks for something else than a log holds.
    """
    known = by_name(workflows)
    with DatabaseFile(Path(file)) as database:
        recorded = [(row, database.events(row)) for row in database.rows()]
    with ThreadPoolExecutor(1) as elsewhere:  # the loop of a test that is async cannot run a workflow's as well
        ends = {row.id: elsewhere.submit(_replay, row, events, known).result() for row, events in recorded}
    blocked = {execution: why for execution, why in ends.items() if why is not None}
    if blocked:
        raise NotReplayed(Path(file), blocked)
    return list(ends)


def _replay(row: Row, events: list[Event], known: dict[str, Workflow[..., Any]]) -> Blocked | None:
    """Why it could not go on; an execution that has ended needs its workflow no more."""
    workflow = known.get(row.workflow)
    if workflow is None:
        return None if row.status.closed else blocked_by_absence(row.workflow, list(known))
    guard(WorkflowLoop)
    journal = Journal(events[-1].position + 1)
    execution = Execution(journal, row.key, row.id, workflow, row.seed, row.origin)
    replay_log(execution, journal, events[:-1] if row.status.closed else events)
    blocked = execution.blocked
    execution.dispose()
    return blocked


def _explained(why: Blocked) -> str:
    return why.message if why.suggestion is None else f"{why.message}\n{why.suggestion}"
