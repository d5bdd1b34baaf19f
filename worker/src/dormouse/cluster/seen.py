"""What does the API server say of a DurableWorkflow? Plain values, read leniently: the cluster may be newer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """One condition, of whatever object."""

    type: str
    status: str
    reason: str
    message: str
    since: str = ""


@dataclass(frozen=True)
class Seen:
    """A DurableWorkflow."""

    document: Document

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.document["metadata"].get("namespace", ""))

    @property
    def spec(self) -> Document:
        return self.document.get("spec") or {}

    @property
    def storage(self) -> Document:
        return self.spec.get("storage") or {}

    @property
    def status(self) -> Document:
        return self.document.get("status") or {}

    @property
    def phase(self) -> str:
        if self.document["metadata"].get("deletionTimestamp"):
            return "Deleting"
        return str(self.status.get("phase") or "Unseen")

    @property
    def is_suspended(self) -> bool:
        """Whether somebody has asked for it."""
        return self.spec.get("operatingMode") == "Suspended"

    def text(self, *path: str) -> str:
        """What the status has there; nothing if it does not."""
        found: Any = self.status
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return "" if found is None else str(found)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if it was ever set."""
        return next((one for one in conditions(self.document) if one.type == kind), None)


def conditions(document: Document) -> list[Condition]:
    """All conditions of any object."""
    return [
        Condition(
            str(one.get("type", "")),
            str(one.get("status", "")),
            str(one.get("reason", "")),
            str(one.get("message", "")),
            str(one.get("lastTransitionTime", "")),
        )
        for one in (document.get("status") or {}).get("conditions") or ()
    ]


def age(moment: str, now: datetime) -> str:
    """How long ago that was, as kubectl says it; in how long it will be, if it lies ahead."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    seconds = int((now - at.astimezone(UTC)).total_seconds())
    return f"in {_span(-seconds)}" if seconds < 0 else _span(seconds)


def _span(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
