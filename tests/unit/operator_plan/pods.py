"""How does a planned pod look once a kubelet has it? The status fields that a plan reads."""

import copy
import json
from typing import Any

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import CreatePod, CurrentSeen, DeletePod, EmitEvent, Plan, build_pod, plan
from unit import operator_samples
from unit.operator_samples import NOW, observed


def created(planned: Plan) -> dict[str, Any]:
    (manifest,) = [action.manifest for action in planned.actions if isinstance(action, CreatePod)]
    return manifest


def pod(dwf: DurableWorkflow, epoch: int = 1, **changes: Any) -> dict[str, Any]:
    """The pod of that epoch, as planned for this spec; `changes` go to `seen`."""
    made = build_pod(dwf, operator_samples.store(), epoch, first_claim=epoch == 1)
    return seen(made, **changes)


def seen(
    manifest: dict[str, Any],
    *,
    phase: str = "Running",
    keeper: bool = False,
    runtime: bool = False,
    keeper_said: dict[str, Any] | None = None,
    runtime_said: dict[str, Any] | None = None,
    deleting: bool = False,
    node: str = "node-a",
) -> dict[str, Any]:
    made = copy.deepcopy(manifest)
    made["metadata"].setdefault("uid", f"uid-of-{made['metadata']['name']}")
    if deleting:
        made["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    made["spec"]["nodeName"] = node
    made["status"] = {
        "phase": phase,
        "initContainerStatuses": [_container("litestream", phase, keeper, keeper_said)],
        "containerStatuses": [_container("runtime", phase, runtime, runtime_said)],
    }
    return made


def _container(name: str, phase: str, ready: bool, said: dict[str, Any] | None) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "ready": ready, "restartCount": 0, "state": {"running": {}}}
    if said is not None:
        exit_code = 0 if said["reason"] in ("Completed", "Stopped", "Sealed") else 1
        terminated = {"exitCode": exit_code, "reason": "Error", "message": json.dumps(said)}
        # While the pod goes on, a container that ended is running again and remembers.
        where = "state" if phase != "Running" or exit_code == 0 else "lastState"
        made[where] = {"terminated": terminated}
    return made


def life_of(workflow: str, uid: str) -> dict[str, Any]:
    """Of a pod's spec what says whose life it is."""
    told = {"DORMOUSE_NAME": workflow, "DORMOUSE_WORKFLOW_UID": uid}
    keeper = {"name": "litestream", "env": [{"name": name, "value": value} for name, value in told.items()]}
    return {"initContainers": [keeper]}


def sealed(epoch: int, reason: str) -> CurrentSeen:
    return CurrentSeen(epoch, "Sealed", reason, workflow_uid=operator_samples.UID)


def active(epoch: int) -> CurrentSeen:
    return CurrentSeen(epoch, "Active", workflow_uid=operator_samples.UID)


def planned(dwf: DurableWorkflow, *pods: dict[str, Any], **changes: Any) -> Plan:
    return plan(dwf, observed(*pods, **changes), NOW)


def kinds(made: Plan) -> list[str]:
    return [type(action).__name__ for action in made.actions if not isinstance(action, EmitEvent)]


def deleted(made: Plan) -> list[tuple[str, int | None]]:
    return [(action.name, action.grace_seconds) for action in made.actions if isinstance(action, DeletePod)]


def reason(made: Plan) -> str:
    ready = made.status.condition("Ready")
    assert ready is not None
    return ready.reason


def message(made: Plan) -> str:
    ready = made.status.condition("Ready")
    assert ready is not None
    return ready.message


def environment(manifest: dict[str, Any], name: str) -> str:
    (keeper,) = manifest["spec"]["initContainers"]
    (value,) = [entry["value"] for entry in keeper["env"] if entry["name"] == name]
    return str(value)


LIVED: dict[str, Any] = {"epoch": 2, "claimed": True, "claimed_at": "2026-03-01T11:59:00Z"}
