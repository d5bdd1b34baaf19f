"""What has the keeper done until work could begin, and when? For metrics, and for the trace of a life."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Step:
    """One step.

    Attributes:
        began_ns, ended_ns: in nanoseconds since 1970; the end is 0 while it lasts.
        failed: whether an error ended it.
        facts: what else is to be said of it.
    """

    name: str
    began_ns: int
    ended_ns: int = 0
    failed: bool = False
    facts: dict[str, int | str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As the runtime is told."""
        return {
            "name": self.name,
            "beganNs": self.began_ns,
            "endedNs": self.ended_ns,
            "failed": self.failed,
            "facts": self.facts,
        }


class Steps:
    """The steps of one process, in the order in which they began."""

    def __init__(self) -> None:
        self._origin_ns = time.time_ns() - time.monotonic_ns()
        self.taken: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Within, this is being done. A clock that is set meanwhile changes nothing."""
        made = Step(name, self._now_ns())
        self.taken.append(made)
        try:
            yield made
        except BaseException:
            made.failed = True
            raise
        finally:
            made.ended_ns = self._now_ns()

    def _now_ns(self) -> int:
        return self._origin_ns + time.monotonic_ns()
