"""What is debugged? One execution of a file, its log, and the code that it is replayed with."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dormouse.client.file import DatabaseFile
from dormouse.encryption import AesGcm
from dormouse.engine.clock import to_text
from dormouse.engine.definitions import Workflow
from dormouse.engine.delivery import deliver
from dormouse.engine.execution import Execution
from dormouse.engine.guard import guard
from dormouse.engine.journal import CLOSINGS, COMMANDS, Event, Journal
from dormouse.engine.log import what_counts
from dormouse.engine.loop import WorkflowLoop
from dormouse.engine.mismatch import Blocked, blocked_by_absence, of_a_replay
from dormouse.engine.querying import Row
from dormouse.engine.replay import replay
from dormouse.errors import DormouseError
from dormouse_observer.contents import check_has_values

Tell = Callable[[Execution, Event], None]


class NoSuchEvent(DormouseError):
    """The execution has no event at that position, or none that its code comes to."""


class GoesAnotherWay(DormouseError):
    """The code does not come to the event, because it cannot go on as it is logged."""

    def __init__(self, row: Row, events: int, blocked: Blocked) -> None:
        self.execution, self.workflow, self.events = row.id, row.workflow, events
        self.blocked = of_a_replay(blocked)
        super().__init__(f"execution {row.id!r} does not come to that event: {self.blocked.message}")


@dataclass(frozen=True)
class Recording:
    """One execution, to be replayed as often as one likes.

    Attributes:
        file: in which it is.
        row: what the file says of it.
        events: the log of its newest run.
        workflow: the present code.
        children: the ids of the executions that it has called, by the numbers of its calls.
        parent: the id of the one that has called it.
    """

    file: Path
    row: Row
    events: tuple[Event, ...]
    workflow: Workflow[..., Any]
    children: Mapping[int, str]
    parent: str | None = None

    @cached_property
    def counting(self) -> tuple[Event, ...]:
        """The events that have not been taken back by a retry, in the order in which the code comes to them."""
        kept = {event.position for event in what_counts(self.events)}
        return tuple(event for event in self.events if event.position in kept)

    @property
    def first(self) -> int:
        """The position at which the run begins."""
        return self.counting[0].position

    def event(self, position: int) -> Event:
        """The event at a position.

        Raises:
            NoSuchEvent: with what there is.
        """
        for event in self.counting:
            if event.position == position:
                return event
        if any(event.position == position for event in self.events):
            raise NoSuchEvent(
                f"event {position} of execution {self.row.id!r} was taken back by a retry; choose another"
            )
        last = self.counting[-1].position
        raise NoSuchEvent(no_such_event(self.file, self.row.id, position, self.first, last))

    def neighbour(self, position: int, by: int) -> int | None:
        """The event so many after this one, or before it; None when there is none."""
        positions = [event.position for event in self.counting]
        index = positions.index(position) + by
        return positions[index] if 0 <= index < len(positions) else None

    def replayed(self, tell: Tell = deliver) -> Execution:
        """Run the code over the log; `tell` has it hear of each event. Of one that has ended, all but the end."""
        guard(WorkflowLoop)
        journal = Journal(self.events[-1].position + 1)
        row = self.row
        execution = Execution(journal, row.key, row.id, self.workflow, row.seed, row.origin)
        ended = self.events[-1].kind in CLOSINGS
        try:
            replay(execution, journal, self.events[:-1] if ended else self.events, tell)
        except BaseException:
            execution.dispose()
            raise
        return execution


def recorded(file: DatabaseFile, known: Mapping[str, Workflow[..., Any]], execution_id: str) -> Recording:
    """An execution of an open file.

    Raises:
        UnknownExecution: when there is none.
        GoesAnotherWay: when its workflow is not in the code.
        NotReadable: when the file was redacted.
    """
    check_has_values(file)
    row = file.row(execution_id)
    workflow = known.get(row.workflow)
    if workflow is None:
        raise GoesAnotherWay(row, 0, blocked_by_absence(row.workflow, list(known)))
    # Read whole: the file is closed while somebody looks at what came of it.
    events = tuple(Event(*event)._replace(payload=event.payload) for event in file.events(row))
    rows = file.rows()
    children = {one.parent_command: one.id for one in rows if one.parent == row.key and one.parent_command is not None}
    parent = next((one.id for one in rows if one.key == row.parent), None)
    return Recording(file.path, row, events, workflow, children, parent)


class Library:
    """The executions of one file, with the code.

    Args:
        path: the file; it is only read.
        known: the workflows of the code, by their names.
    """

    def __init__(self, path: Path, known: Mapping[str, Workflow[..., Any]]) -> None:
        self._path = path
        self._known = known

    def recording(self, execution_id: str) -> Recording:
        """One of them; raises as `recorded`, and NotReadable."""
        with DatabaseFile(self._path, AesGcm.from_environment()) as file:
            return recorded(file, self._known, execution_id)


def no_such_event(file: Path, execution: str, position: int, first: int, last: int) -> str:
    """What is said of a position at which an execution has no event: which ones it has, and how to see them."""
    listed = shlex.join(["dormouse", "history", str(file), execution])
    return (
        f"execution {execution!r} has no event {position}: its newest run has those from {first} to {last}, and "
        f"`{listed}` lists them by their positions"
    )


def described(event: Event) -> str:
    """An event in one line, without its payload."""
    parts = [f"event {event.position}", event.kind, event.name or ""]
    if event.command is not None and (event.kind in COMMANDS or not event.name):
        parts.append(f"number {event.command}")
    if event.attempt:
        parts.append(f"attempt {event.attempt}")
    return f"{' '.join(filter(None, parts))} at {to_text(event.at)}"
