"""Do all names fit that are made from the longest ones that may be written, in the newest epoch that there may be?"""

from __future__ import annotations

import re
from typing import Any

import pytest

from dormouse.replica.layout import LARGEST_EPOCH, Layout, epoch_of, first_transaction
from dormouse_operator.api import DurableWorkflow
from dormouse_operator.api.rules import DNS_SUBDOMAIN
from dormouse_operator.plan import (
    ApplyBudget,
    ApplyConfigMap,
    CreateCheck,
    CreatePod,
    MintSession,
    Settings,
    check_of,
    identity_of,
    plan,
)
from unit.operator_plan.pods import LIVED, active, created, kinds, message, planned, pod, reason
from unit.operator_samples import NOW, UID, observed, store, with_status, workflow

NAME, NAMESPACE = "a" * 25 + "-" + "b" * 26, "n" * 63
SETTINGS = Settings(on_cluster=True, reports_url="http://operator:8082", checks_replays=True)
LONGEST = {
    "metadata.name": NAME,
    "metadata.namespace": NAMESPACE,
    "metadata.finalizers": ["dormouse.dev/data"],
    "spec.disruption": {"waitForIdleSeconds": 60},
    "spec.updatePolicy.replayCheck": True,
    "spec.storage.storeRef.name": "s" * 253,
}
STORE = store(
    {
        "metadata.name": "s" * 253,
        "metadata.namespace": NAMESPACE,
        "spec.prefix": "p" * 512,
        "spec.credentials.secretRef.name": "k." * 126 + "k",
        "spec.caBundle": {"configMapRef": {"name": "c" * 253, "key": "k" * 253}},
    }
)
PROVEN = {"ConditionalWrites": "True", "InUse": "True"}
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def longest(epoch: int, **changes: Any) -> DurableWorkflow:
    return workflow({**LONGEST, **changes}, **{**LIVED, "epoch": epoch, "pod_name": f"{NAME}-e{epoch}"})


def manifests() -> list[dict[str, Any]]:
    """Everything that is made for one workflow."""
    last = longest(LARGEST_EPOCH - 1)
    lived = pod(last, LARGEST_EPOCH - 1, keeper=True, runtime=True)
    known = plan(last, observed(lived, store=STORE, has_budget=False), NOW, SETTINGS)
    changed = with_status(longest(1, **{"spec.entrypoint": "other", "metadata.generation": 2}), known.status)
    checked = plan(changed, observed(lived, store=STORE, cordoned_nodes=frozenset()), NOW, SETTINGS)
    first = plan(last, observed(store=STORE, current=active(LARGEST_EPOCH - 1)), NOW, SETTINGS)
    made = CreatePod | CreateCheck | ApplyConfigMap | ApplyBudget | MintSession
    found = [each.manifest for each in (*known.actions, *checked.actions, *first.actions) if isinstance(each, made)]
    assert {each["kind"] for each in found} >= {"Pod", "ConfigMap", "PodDisruptionBudget"}
    assert any(check_of(each) for each in found if each["kind"] == "Pod")
    return found


@pytest.mark.parametrize("manifest", manifests(), ids=lambda each: each["metadata"]["name"][len(NAME) :])
def test_each_object_has_a_name_and_labels_that_kubernetes_takes(manifest: dict[str, Any]) -> None:
    metadata = manifest["metadata"]
    assert DNS_SUBDOMAIN.fullmatch(metadata["name"])
    assert len(metadata["name"]) <= 253
    assert all(_LABEL.fullmatch(value) for value in metadata["labels"].values())
    if manifest["kind"] == "Pod":
        # The kubelet's folder of its logs, and the name of one of them.
        assert len(f"{NAMESPACE}_{metadata['name']}_{UID}") <= 255
        assert len(f"{metadata['name']}_{NAMESPACE}_litestream-{'0' * 64}.log") <= 255
        assert identity_of(manifest) or check_of(manifest), "or it would never be found again"


def test_the_keys_in_the_store_are_short_enough_for_s3() -> None:
    prefix = Layout.of("p" * 512, NAMESPACE, NAME).epoch(LARGEST_EPOCH, UID)
    key = first_transaction(f"{prefix}-12345678")
    assert len(key) <= 1024
    assert epoch_of(key) == LARGEST_EPOCH


@pytest.mark.parametrize(
    ("status", "seen"),
    [({"epoch": LARGEST_EPOCH}, {}), ({"epoch": 10**18}, {}), ({"epoch": 2}, {"current": active(10**30)})],
)
def test_an_epoch_that_no_pod_may_have_is_told_and_none_is_made(status: dict[str, Any], seen: dict[str, Any]) -> None:
    dwf = workflow(**{**LIVED, **status})
    made = planned(dwf, **{"current": active(status["epoch"]), **seen})
    assert (kinds(made), made.status.phase, reason(made)) == ([], "Stalled", "InvalidManifest")
    assert "status.epoch: the next epoch would be" in message(made)
    assert "kubectl edit --subresource=status" in message(made)


def test_what_a_container_claims_to_have_seen_makes_no_such_epoch_either() -> None:
    dwf = workflow(**LIVED)
    ended = pod(dwf, 2, phase="Failed", runtime_said={"reason": "StaleEpoch", "seen": 10**18})
    made = planned(dwf, ended, current=active(2))
    assert "CreatePod" not in kinds(made)
    assert reason(made) == "InvalidManifest"


def test_the_last_epoch_is_one_that_is_found_again() -> None:
    dwf = workflow(**{**LIVED, "epoch": LARGEST_EPOCH - 1})
    found = identity_of(created(planned(dwf, current=active(LARGEST_EPOCH - 1))))
    assert found is not None
    assert found.epoch == LARGEST_EPOCH
