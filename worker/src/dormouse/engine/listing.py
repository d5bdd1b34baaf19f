"""Which executions does a list show? Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dormouse.engine.ending import Status
from dormouse.engine.messages import name_of
from dormouse.errors import InvalidInput, UnknownWorkflow


@dataclass(frozen=True)
class Wanted:
    """Those of one status, of one workflow, of both, or all."""

    status: Status | None = None
    workflow: str | None = None

    def where(self, *, up_to: int, begins: int) -> tuple[str, list[object]]:
        """The condition that their rows fulfil, and its values: how they stand after the event at the position `up_to`.

        Args:
            up_to: the last position that counts; an end that lies behind it has not come yet.
            begins: the newest that may be among them.
        """
        conditions = ["key <= ?"]
        values: list[object] = [min(up_to, begins)]
        if self.workflow is not None:
            conditions.append("workflow = ?")
            values.append(self.workflow)
        if self.status is not None:
            conditions.append("CASE WHEN closed_position > ? THEN ? ELSE status END = ?")
            values += [up_to, Status.OPEN, self.status]
        return " AND ".join(conditions), values


ALL = Wanted()


def wanted(status: str | None, workflow: Any) -> Wanted:
    """Raises InvalidInput when there is no such status."""
    if status is not None and status not in set(Status):
        raise InvalidInput(f"the status of an execution is one of {', '.join(Status)}, not {status!r}")
    return Wanted(None if status is None else Status(status), None if workflow is None else name_of(workflow))


def check_workflow(name: str, known: Iterable[str], where: str = "") -> None:
    """Raises UnknownWorkflow when it is none of those that the code has and those that have executions."""
    names = sorted(set(known))
    if name not in names:
        raise UnknownWorkflow(f"there is no workflow {name!r}{where}; there are: {', '.join(names) or 'none'}")
