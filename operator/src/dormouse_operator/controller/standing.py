"""How many workflows, pods and stores are how? Counted over the caches when somebody asks, in one pass over each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from dormouse_operator.controller.resources import Document

_MOST_NAMESPACES = 1000
_MOST_REASONS = 100
OTHERS = "(others)"
"""Stands for the namespaces and reasons that are too many to be told apart."""
UNKNOWN = "Unknown"
_ON_ITS_WAY = frozenset({"Pending", "Starting", "Running"})


@dataclass(frozen=True)
class Standing:
    """Counts by namespace, and then:

    Attributes:
        workflows: by phase.
        troubles: those of which a condition is not well, by condition and reason.
        troubled_since: the condition that has not been well for longest, by condition, in seconds since 1970.
        pods: by phase.
        stores: by the status of `Available`.
    """

    workflows: Counter[tuple[str, str]]
    troubles: Counter[tuple[str, str, str]]
    troubled_since: dict[tuple[str, str], float]
    pods: Counter[tuple[str, str]]
    stores: Counter[tuple[str, str]]


@dataclass(frozen=True)
class Trouble:
    """A condition of one workflow that is not well."""

    condition: str
    reason: str
    since: float | None


def standing(workflows: Iterable[Document], pods: Iterable[Document], stores: Iterable[Document]) -> Standing:
    """As these documents say; one without a status is Pending."""
    namespaces, reasons = _Names(_MOST_NAMESPACES), _Names(_MOST_REASONS)
    made = Standing(Counter(), Counter(), {}, Counter(), Counter())
    for workflow in workflows:
        namespace = namespaces.of(workflow)
        made.workflows[namespace, _phase(workflow, "Pending")] += 1
        for trouble in troubles(workflow):
            made.troubles[namespace, trouble.condition, reasons.name(trouble.reason)] += 1
            if trouble.since is not None:
                place = (namespace, trouble.condition)
                made.troubled_since[place] = min(trouble.since, made.troubled_since.get(place, trouble.since))
    for pod in pods:
        made.pods[namespaces.of(pod), _phase(pod, UNKNOWN)] += 1
    for store in stores:
        available = next((one for one in _conditions(store) if one.get("type") == "Available"), {})
        made.stores[namespaces.of(store), str(available.get("status", UNKNOWN))] += 1
    return made


def troubles(workflow: Document) -> Iterator[Trouble]:
    """Conditions that are not as they should be. One that is to rest, or is ending, need not be ready."""
    is_wanted = _phase(workflow, "Pending") in _ON_ITS_WAY
    for condition in _conditions(workflow):
        kind, status = condition.get("type"), condition.get("status")
        is_bad = (
            (kind in ("Stalled", "Blocked") and status == "True")
            or (kind == "Drilled" and status == "False")
            or (kind in ("Ready", "Replicating") and status == "False" and is_wanted)
        )
        if is_bad:
            yield Trouble(
                str(kind), str(condition.get("reason", UNKNOWN)), _moment(condition.get("lastTransitionTime"))
            )


def _phase(document: Document, unless_told: str) -> str:
    return str((document.get("status") or {}).get("phase") or unless_told)


def _conditions(document: Document) -> Iterable[Document]:
    return (document.get("status") or {}).get("conditions") or ()


def _moment(told: object) -> float | None:
    try:
        return datetime.fromisoformat(str(told)).timestamp()
    except ValueError:  # somebody wrote the status by hand
        return None


class _Names:
    """The first so many are told apart."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, document: Document) -> str:
        return self.name(str(document["metadata"]["namespace"]))

    def name(self, name: str) -> str:
        if name not in self._known and len(self._known) >= self._most:
            return OTHERS
        self._known.add(name)
        return name
