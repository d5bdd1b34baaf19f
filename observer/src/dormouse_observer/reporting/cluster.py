"""What may a support bundle tell of a cluster? Named fields of a status, and findings without free text. Pure.

Messages of conditions repeat errors of the user's code and of the store, so only types and reasons are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dormouse.cluster.findings import Finding

Document = dict[str, Any]
_KEPT = frozenset(
    {
        *("observedGeneration", "phase", "epoch", "claimed", "claimedAt", "restoredAt", "restoredFrom", "position"),
        *("recoveryWindow", "executions", "nextWakeAt", "failures", "image", "keeperImage", "conditions", "lastSeal"),
        *("lastDrill", "lastFailure", "time", "from", "to", "type", "status", "reason", "lastTransitionTime"),
        *("open", "running", "sleeping", "waiting", "retrying", "blocked"),
    }
)
_FROM_OURSELVES = frozenset({"definitions", "operator", "lease", "permissions"})
_NOT_LOOKED_AT = "not looked at"
_NAMED_REASON = re.compile(r"[\w.-]+/[\w.-]+: [A-Z][A-Za-z]+(?=: |$)")


def status_of(workflow: Document) -> Document:
    """What the status of a DurableWorkflow says, field by field; its spec has the user's environment in it."""
    metadata = workflow.get("metadata") or {}
    named = {key: metadata[key] for key in ("name", "namespace", "generation", "creationTimestamp") if key in metadata}
    return {"metadata": named, "status": _kept(workflow.get("status") or {})}


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _kept(one) for name, one in value.items() if name in _KEPT}
    return [_kept(one) for one in value] if isinstance(value, list) else value


def findings_of(findings: Iterable[Finding]) -> list[Document]:
    """What the doctor has found; remedies are words of our own."""
    return [
        {"check": one.check, "level": one.level, "message": _message(one), "remedy": one.remedy} for one in findings
    ]


def _message(finding: Finding) -> str:
    if finding.message.startswith(_NOT_LOOKED_AT):
        return _NOT_LOOKED_AT
    if finding.check in _FROM_OURSELVES or (finding.check == "cluster" and finding.level == "ok"):
        return finding.message
    named = _NAMED_REASON.match(finding.message)
    return named[0] if named else ""
