"""What can an installation choose?"""

from __future__ import annotations

from dataclasses import dataclass, field

from dormouse_operator.controller.leading import Candidate
from dormouse_operator.controller.lease import Terms
from dormouse_operator.plan import STOCK


@dataclass(frozen=True)
class Options:
    """`namespaces`: those that are served; all of them when there is none."""

    candidate: Candidate
    namespaces: tuple[str, ...] = ()
    worker_image: str = STOCK.worker_image
    workers: int = 8
    max_concurrent_rolls: int = 0
    """So many workflows are replaced at once because their spec changed; 0 is without a bound."""
    relist_seconds: float = 300.0
    terms: Terms = field(default_factory=Terms)
    probes_port: int | None = None
    metrics_port: int | None = None
    reports_port: int | None = None
    reports_host: str | None = None
    reports_url: str = ""
    """Where pods reach the port."""
    sends_traces: bool = False
