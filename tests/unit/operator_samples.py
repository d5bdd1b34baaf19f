"""Which objects do the operator's tests start from? Small valid ones, changed by dotted path."""

import copy
from datetime import UTC, datetime
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from dormouse_operator.api import DurableWorkflow, DurableWorkflowStatus, ObjectStore, parse
from dormouse_operator.plan import FINALIZER, Observed

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
UID = "5a0c0f6e-7f3e-4a53-9b65-0f4c6d3a1b11"
KEYS = frozenset({"accessKeyId", "secretAccessKey"})
REMOVED = object()

_WORKFLOW: dict[str, Any] = {
    "apiVersion": "dormouse.dev/v1alpha1",
    "kind": "DurableWorkflow",
    "metadata": {"name": "report", "namespace": "team", "uid": UID, "generation": 1},
    "spec": {
        "entrypoint": "pipeline",
        "source": {"inline": "print('hello')\n"},
        "start": {"workflow": "main", "input": {"rows": 3}},
        "storage": {"storeRef": {"name": "local"}},
    },
}
_STORE: dict[str, Any] = {
    "apiVersion": "dormouse.dev/v1alpha1",
    "kind": "ObjectStore",
    "metadata": {"name": "local", "namespace": "team"},
    "spec": {
        "endpoint": "http://127.0.0.1:8333",
        "bucket": "dormouse",
        "prefix": "team/prod",
        "pathStyle": True,
        "credentials": {"secretRef": {"name": "local"}},
    },
}


def document(kind: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The sample manifest of a kind; `changes` maps dotted paths to values or REMOVED."""
    made = copy.deepcopy(_WORKFLOW if kind == "DurableWorkflow" else _STORE)
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        inner = made
        for part in parents:
            inner = inner.setdefault(part, {})
        if value is REMOVED:
            del inner[last]
        else:
            inner[last] = value
    return made


def workflow(changes: dict[str, Any] | None = None, **status: Any) -> DurableWorkflow:
    """One that has lived is held, unless the changes say otherwise."""
    held = {"metadata.finalizers": [FINALIZER]} if status.get("epoch") else {}
    parsed = parse(document("DurableWorkflow", {**held, **(changes or {})}))
    assert isinstance(parsed, DurableWorkflow)
    return replace(parsed, status=replace(parsed.status, **{"observed_generation": 1, **status}))


def store(changes: dict[str, Any] | None = None) -> ObjectStore:
    parsed = parse(document("ObjectStore", changes))
    assert isinstance(parsed, ObjectStore)
    return parsed


def observed(*pods: dict[str, Any], **changes: Any) -> Observed:
    return Observed(**{"pods": pods, "store": store(), "secret_keys": KEYS, **changes})


def with_status(dwf: DurableWorkflow, status: DurableWorkflowStatus) -> DurableWorkflow:
    """As the shell reads it again: the status has been to the API server and back."""
    again = parse({**to_builtins(dwf), "status": to_builtins(status)})
    assert isinstance(again, DurableWorkflow)
    return again
