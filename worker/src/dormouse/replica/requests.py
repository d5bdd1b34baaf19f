"""How often was a store asked, and how many bytes went to and fro?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from dormouse.replica.store import StoreConflict

Operation = Literal["get", "put", "head", "list", "delete"]
Outcome = Literal["answered", "failed"]
"""`answered` is also what says that nothing is there, nothing has changed, or a condition does not hold."""


class Requests:
    """The counts of one process, or of what it counts together.

    Attributes:
        counts: requests that ended. A page of a listing is one.
        bytes: of objects: received by `get`, sent by `put`.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[Operation, Outcome]] = Counter(
            {(operation, outcome): 0 for operation in get_args(Operation) for outcome in get_args(Outcome)}
        )
        self.bytes: Counter[Operation] = Counter({"get": 0, "put": 0})

    @contextmanager
    def counted(self, operation: Operation) -> Iterator[None]:
        """Within, one request is made: whoever is cancelled or raises has no answer, a conflict is one."""
        outcome: Outcome = "failed"
        try:
            yield
            outcome = "answered"
        except StoreConflict:
            outcome = "answered"
            raise
        finally:
            self.add(operation, outcome)

    def add(self, operation: Operation, outcome: Outcome) -> None:
        """One request ended."""
        self.counts[operation, outcome] += 1
