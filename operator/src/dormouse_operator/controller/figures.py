"""What is true of this replica at the moment of a scrape?"""

from __future__ import annotations

from dataclasses import dataclass

from dormouse_operator.controller.standing import Standing
from dormouse_operator.controller.work_queue import Load


@dataclass(frozen=True)
class Leading:
    """Only the leader works on its queue and answers for the fleet: with a sum over all replicas nothing is doubled."""

    load: Load
    standing: Standing


@dataclass(frozen=True)
class Figures:
    """`leading` is None in a standby."""

    is_ready: bool
    leading: Leading | None
