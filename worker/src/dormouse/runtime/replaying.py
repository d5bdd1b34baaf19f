"""Would the open executions of a restored file go on with this code? Their logs are replayed, and nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dormouse.client.file import DatabaseFile
from dormouse.engine.definitions import Workflow
from dormouse.engine.mismatch import Blocked
from dormouse.engine.sealing import Codec
from dormouse.testing.replaying import why_blocked


@dataclass(frozen=True)
class Replayed:
    """What came of it.

    Attributes:
        open: how many executions are open.
        blocked: why those that could not go on could not, by their ids; the oldest first.
        blocked_before: those of them that could not go on with the code before either.
    """

    open: int
    blocked: dict[str, Blocked]
    blocked_before: frozenset[str]

    @property
    def diverged(self) -> dict[str, Blocked]:
        """Those that this code would stop."""
        return {one: why for one, why in self.blocked.items() if one not in self.blocked_before}


def replay_open(database: Path, workflows: Mapping[str, Workflow[..., Any]], codec: Codec | None) -> Replayed:
    """Run the code over the logs of all open executions of a file that nobody writes."""
    count, blocked, before = 0, dict[str, Blocked](), set[str]()
    with DatabaseFile(database, codec) as file:
        for row in file.rows():
            if row.status.closed:
                continue
            count += 1
            why = why_blocked(row, file.events(row), workflows)
            if why is not None:
                blocked[row.id] = why
                if row.blocked is not None:
                    before.add(row.id)
    return Replayed(count, blocked, frozenset(before))
