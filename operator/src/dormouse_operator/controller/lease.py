"""Who leads? The rules over one coordination.k8s.io Lease, without a clock of the other machines.

As in client-go: a lease is over when its record has not changed for its duration on the observer's own clock.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from dormouse_operator.controller.resources import Document


@dataclass(frozen=True)
class Terms:
    """A leader that could not renew for `deadline_seconds` stops before anybody else may start."""

    duration_seconds: int = 15
    deadline_seconds: float = 10.0
    renew_seconds: float = 4.0
    retry_seconds: float = 2.0


@dataclass(frozen=True)
class Sighting:
    """A record, and since when, on the own monotonic clock, it is known not to have changed."""

    record: tuple[Any, ...]
    since: float


def sight(previous: Sighting | None, lease: Document, now: float) -> Sighting:
    """Look at the Lease again."""
    spec = lease.get("spec") or {}
    record = (lease["metadata"].get("uid"), *(spec.get(name) for name in ("holderIdentity", "renewTime")))
    return previous if previous is not None and previous.record == record else Sighting(record, now)


def may_take(lease: Document, sighting: Sighting, me: str, now: float) -> bool:
    """Whether nobody else holds it, or its holder has stopped renewing."""
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    if holder in ("", me):
        return True
    return now - sighting.since > float(spec.get("leaseDurationSeconds") or 0)


def is_over(renewed_at: float, now: float, terms: Terms) -> bool:
    """Whether a leader whose last renewal was sent at that time has to stop."""
    return now - renewed_at >= terms.deadline_seconds


def held(lease: Document | None, namespace: str, name: str, me: str, time: str, terms: Terms) -> Document:
    """The Lease in my hands: to be created when there was none, else to replace the one that was read."""
    made: Document = copy.deepcopy(lease) if lease is not None else {}
    made |= {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    made["metadata"] = {"name": name, "namespace": namespace, **(made.get("metadata") or {})}
    spec = dict(made.get("spec") or {})
    if spec.get("holderIdentity") != me:
        spec["acquireTime"] = time
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + (1 if lease is not None else 0)
    made["spec"] = {
        **spec,
        "holderIdentity": me,
        "renewTime": time,
        "leaseDurationSeconds": terms.duration_seconds,
    }
    return made


def released(lease: Document, time: str) -> Document:
    """The Lease that anybody may take at once."""
    made = copy.deepcopy(lease)
    made["spec"] = {**(made.get("spec") or {}), "holderIdentity": "", "renewTime": time}
    return made
