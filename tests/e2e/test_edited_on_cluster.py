"""Does a workflow go on although somebody edits by hand what belongs to it, or takes it away?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from dormouse.replica.current import State
from e2e.chain_workflow import ChainWorkflow
from e2e.running_cluster import Cluster, eventually

pytestmark = [pytest.mark.own_namespace, pytest.mark.timeout(600), pytest.mark.usefixtures("operator")]

STORE = "kept"
STEPS_OF_A_TEST = 150


def running(cluster: Cluster, namespace: str, steps: int = STEPS_OF_A_TEST, step_seconds: float = 0.2) -> ChainWorkflow:
    one = ChainWorkflow(cluster, namespace, steps=steps, step_seconds=step_seconds).apply()
    one.wait_for_steps()
    return one


def edit(one: ChainWorkflow, kind: str, name: str, patch: Any, *options: str) -> None:
    """A merge patch, or a JSON patch when it is a list of operations."""
    how = "json" if isinstance(patch, list) else "merge"
    patched = ("patch", kind, name, f"--type={how}", f"--patch={json.dumps(patch)}")
    one.cluster.kubectl(f"--namespace={one.namespace}", *patched, *options)


def found(one: ChainWorkflow, kind: str, name: str) -> dict[str, Any]:
    """The object; empty when there is none."""
    asked = one.cluster.try_kubectl(f"--namespace={one.namespace}", "get", kind, name, "--output=json")
    read: dict[str, Any] = json.loads(asked.stdout) if asked.returncode == 0 else {}
    return read


def delete(one: ChainWorkflow, kind: str, name: str, *options: str) -> None:
    one.cluster.kubectl(f"--namespace={one.namespace}", "delete", kind, name, *options)


def ends_well(one: ChainWorkflow, epochs: set[int]) -> None:
    """To its end, in these lives, and then it is gone with its data released."""
    assert one.finish() == []
    assert {attempt.epoch for attempt in one.attempts()} == epochs
    one.delete()
    assert one.stored.current().state is State.RELEASED


def test_a_pod_without_labels_seals_and_the_next_one_has_them(cluster: Cluster, namespace: str) -> None:
    one = running(cluster, namespace)
    pod = one.pod()["metadata"]["name"]
    edit(one, "pod", pod, {"metadata": {"labels": None}})
    one.wait_for_epoch(2)
    assert one.stored.current().lineage[0].sealed_txid is not None
    assert not found(one, "pod", pod)
    ends_well(one, {1, 2})


def test_a_forged_epoch_and_a_missing_owner_disturb_nothing(cluster: Cluster, namespace: str) -> None:
    one = running(cluster, namespace)
    pod = one.pod()["metadata"]["name"]
    edit(one, "pod", pod, {"metadata": {"labels": {"dormouse.dev/epoch": "99"}, "ownerReferences": None}})
    one.wait_for_steps()
    assert one.status()["epoch"] == 1
    ends_well(one, {1})
    delete(one, "pod", pod)  # nobody owns it, so nobody collects it


def test_deleted_with_its_pod_orphaned_it_waits_for_the_seal(cluster: Cluster, namespace: str) -> None:
    one = running(cluster, namespace, steps=1000)
    one.delete("--cascade=orphan")
    current = one.stored.current()
    assert (current.state, current.entry.sealed_txid is not None) == (State.RELEASED, True)


FORGED: tuple[dict[str, Any] | None, ...] = (
    None,
    {"epoch": 0, "claimed": False, "podName": ""},
    {"phase": "Completed"},
    {
        "phase": "Completed",
        "conditions": [
            {
                "type": "Completed",
                "status": "True",
                "reason": "Succeeded",
                "message": "",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    },
)


@pytest.mark.long  # with --all, since it has to run for longer than all the edits take
def test_a_status_that_was_wiped_or_forged_is_put_right(cluster: Cluster, namespace: str) -> None:
    one = running(cluster, namespace, steps=80, step_seconds=1.0)

    def is_right() -> bool:
        status = one.status()
        told = (status.get("phase"), status.get("epoch"), status.get("podName"), status.get("claimed"))
        return told == ("Running", 1, f"{one.name}-e1", True) and one.condition("Completed").get("status") == "False"

    eventually("it runs", is_right, seconds=60)
    for forged in FORGED:
        edit(one, "durableworkflow", one.name, {"status": forged}, "--subresource=status")
        eventually(f"{forged} is put right", is_right, seconds=60)
    # No number at or below one that was ever told is used: this is all that it costs.
    edit(one, "durableworkflow", one.name, {"status": {"epoch": 40}}, "--subresource=status")
    one.wait_for_steps()
    delete(one, "pod", f"{one.name}-e1")
    one.wait_for_epoch(41)
    ends_well(one, {1, 41})


@pytest.mark.parametrize(
    ("kind", "finalizer"),
    [
        ("durableworkflow", "dormouse.dev/data"),
        ("objectstore", "dormouse.dev/in-use"),
        ("secret", "dormouse.dev/in-use"),
    ],
)
def test_a_finalizer_that_was_taken_away_is_put_back(
    cluster: Cluster, namespace: str, kind: str, finalizer: str
) -> None:
    one = running(cluster, namespace)
    name = one.name if kind == "durableworkflow" else STORE

    def is_held() -> bool:
        return finalizer in found(one, kind, name)["metadata"].get("finalizers", ())

    eventually("it is held", is_held, seconds=30)
    edit(one, kind, name, {"metadata": {"finalizers": None}})
    eventually("it is held again", is_held, seconds=120)
    ends_well(one, {1})


def test_a_pod_that_cannot_go_keeps_nobody_waiting(cluster: Cluster, namespace: str) -> None:
    one = running(cluster, namespace)
    pod = one.pod()["metadata"]["name"]
    edit(one, "pod", pod, {"metadata": {"finalizers": ["example.com/stuck"]}})
    delete(one, "pod", pod, "--wait=false")
    one.wait_for_epoch(2)
    assert "deletionTimestamp" in found(one, "pod", pod)["metadata"]
    assert one.stored.current().lineage[0].sealed_txid is not None
    ends_well(one, {1, 2})
    assert found(one, "pod", pod), "it was stuck all the time"
    edit(one, "pod", pod, {"metadata": {"finalizers": None}})


def test_a_source_that_was_changed_or_taken_away_is_the_right_one_for_the_next_life(
    cluster: Cluster, namespace: str
) -> None:
    one = running(cluster, namespace, steps=200)
    (volume,) = (each["configMap"] for each in one.pod()["spec"]["volumes"] if "configMap" in each)
    source = volume["name"]
    right = found(one, "configmap", source)["data"]
    edit(one, "configmap", source, {"data": dict.fromkeys(right, "raise SystemExit('not this')")})
    one.wait_for_steps()
    delete(one, "pod", one.pod()["metadata"]["name"])
    one.wait_for_epoch(2)
    assert found(one, "configmap", source)["data"] == right
    delete(one, "configmap", source)
    delete(one, "pod", one.pod()["metadata"]["name"])
    one.wait_for_epoch(3)
    ends_well(one, {1, 2, 3})


def test_a_store_that_is_deleted_while_it_is_used_stays_until_nobody_needs_it(cluster: Cluster, namespace: str) -> None:
    one = running(cluster, namespace)
    for kind in ("objectstore", "secret"):
        delete(one, kind, STORE, "--wait=false")

    def told() -> bool:
        conditions = found(one, "objectstore", STORE)["status"]["conditions"]
        return any(one.name in each["message"] for each in conditions if each["reason"] == "DeletionWaits")

    eventually("it says for whom it waits", told, seconds=60)
    delete(one, "pod", one.pod()["metadata"]["name"])
    one.wait_for_epoch(2)
    ends_well(one, {1, 2})
    for kind in ("objectstore", "secret"):
        eventually(f"the {kind} goes", lambda kind=kind: not found(one, kind, STORE), seconds=60)  # type: ignore[misc] # bound now


def test_a_secret_that_was_taken_by_force_is_missed_by_the_next_life_which_goes_on_when_it_is_back(
    cluster: Cluster, namespace: str
) -> None:
    one = running(cluster, namespace)
    kept = found(one, "secret", STORE)
    delete(one, "secret", STORE, "--wait=false")
    edit(one, "secret", STORE, {"metadata": {"finalizers": None}})
    eventually("the Secret is gone", lambda: not found(one, "secret", STORE), seconds=30)
    one.wait_for_steps()
    delete(one, "pod", one.pod()["metadata"]["name"])
    reasons = ("SecretNotFound", "CreateContainerConfigError")
    eventually("it says so", lambda: one.condition("Ready").get("reason") in reasons, seconds=90)
    metadata = {"name": STORE, "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": kept["data"]})
    one.wait_for_epoch(2, seconds=120)
    ends_well(one, {1, 2})
