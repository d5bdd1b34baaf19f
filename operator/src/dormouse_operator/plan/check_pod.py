"""What does the pod of a replay check look like? That of the life to come, without everything that makes it a life.

Its first container restores the newest state and only reads; the second one has the new image and source, replays, and
says what came of it in its termination message.
"""

import hashlib
from typing import Any

from dormouse_operator.api import DurableWorkflow, ObjectStore
from dormouse_operator.plan.naming import (
    CHECK_LABEL,
    check_name,
    check_session_name,
    check_source_name,
)
from dormouse_operator.plan.pod import Settings, build_source, environment, flag, keeping_off, lasting_part
from dormouse_operator.plan.template_hash import template_hash

DEADLINE_SECONDS = 1800
"""By then it has ended: a replay that hangs stops the roll like one that fails."""
_NEVER_READY = "dormouse.dev/never-ready"
"""A Service of the user's that selects the workflow's labels must not send anybody to a check."""


def build_check(
    dwf: DurableWorkflow,
    store: ObjectStore,
    epoch: int,
    attempt: int,
    *,
    first_claim: bool,
    settings: Settings,
    keep_off: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The manifest to create; `first_claim` as for a life. Raises InvalidManifest as for a life."""
    pod = lasting_part(dwf, store, settings)
    digest = template_hash(dwf, store)
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["name"] = check_name(dwf.metadata.name, digest, attempt)
    metadata["labels"][CHECK_LABEL] = digest
    spec |= {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "terminationGracePeriodSeconds": 1,
        "readinessGates": [{"conditionType": _NEVER_READY}],
        "volumes": [_volume(dwf, each) for each in spec["volumes"]],
    }
    restoring, replaying = spec["initContainers"][0], spec["containers"][0]
    values = {"DORMOUSE_EPOCH": str(max(1, epoch))}
    restoring["env"] = environment({**values, "DORMOUSE_FIRST_CLAIM": flag(first_claim)}) + restoring["env"]
    replaying["env"] = environment({**values, **_source(dwf)}) + replaying["env"]
    for container, module in ((restoring, "dormouse.keeper.check"), (replaying, "dormouse.runtime.check")):
        container["command"] = ["python", "-m", module]
        for name in ("restartPolicy", "ports", "readinessProbe"):
            container.pop(name, None)
    if keep_off:
        spec["affinity"] = keeping_off(spec.get("affinity") or {}, keep_off)
    return pod


def build_check_source(dwf: DurableWorkflow) -> dict[str, Any] | None:
    """The ConfigMap of an inline source: the container that runs may still be started again with the one before."""
    return build_source(dwf, check_source_name(dwf.metadata.name, dwf.metadata.uid))


def _source(dwf: DurableWorkflow) -> dict[str, str]:
    """A kubelet may still have the source of an earlier check: the program compares."""
    source = dwf.spec.source
    if source is None or not source.inline:
        return {}
    return {"DORMOUSE_SOURCE_SHA256": hashlib.sha256(source.inline.encode()).hexdigest()}


def _volume(dwf: DurableWorkflow, volume: dict[str, Any]) -> dict[str, Any]:
    name, uid = dwf.metadata.name, dwf.metadata.uid
    if volume["name"] == "source" and build_check_source(dwf) is not None:
        return {**volume, "configMap": {"name": check_source_name(name, uid)}}
    if volume["name"] == "store-session":
        return {**volume, "secret": {**volume["secret"], "secretName": check_session_name(name, uid)}}
    return volume
