"""What is planned while a life begins, runs and has to end?"""

from datetime import timedelta
from typing import Any

import pytest

from dormouse_operator.api import Condition
from dormouse_operator.plan import (
    ApplyConfigMap,
    CreatePod,
    CurrentSeen,
    EmitEvent,
    plan,
)
from unit.operator_plan.pods import LIVED, active, created, deleted, environment, kinds, planned, pod, reason
from unit.operator_samples import NOW, observed, with_status, workflow

# The first life.


def test_a_new_workflow_gets_epoch_one_as_a_first_claim_without_reading_the_store() -> None:
    made = planned(workflow())
    assert kinds(made) == ["ApplyConfigMap", "CreatePod"]
    assert created(made)["metadata"]["name"] == "report-e1"
    assert environment(created(made), "DORMOUSE_FIRST_CLAIM") == "true"
    assert (made.status.epoch, made.status.pod_name, made.status.phase) == (1, "report-e1", "Starting")


def test_the_source_is_applied_before_the_pod_that_mounts_it() -> None:
    source, pod_action = planned(workflow()).actions[:2]
    assert isinstance(source, ApplyConfigMap)
    assert isinstance(pod_action, CreatePod)


def test_a_new_workflow_over_old_data_starts_above_it() -> None:
    made = planned(workflow(), current=CurrentSeen(7, "Released", workflow_uid="another"))
    assert created(made)["metadata"]["name"] == "report-e8"


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"store": None}, "StoreNotFound", "no ObjectStore `local` in namespace `team`"),
        ({"secret_keys": None}, "SecretNotFound", "no Secret `local` in namespace `team`"),
        (
            {"secret_keys": frozenset({"accessKeyId", "endpoint"})},
            "SecretKeyMissing",
            "no key `secretAccessKey` (it has: accessKeyId, endpoint)",
        ),
    ],
)
def test_without_the_store_or_its_secret_nothing_is_done_and_the_remedy_is_told(
    changes: dict[str, Any], expected: str, words: str
) -> None:
    made = planned(workflow(), **changes)
    assert kinds(made) == []
    stalled = made.status.condition("Stalled")
    assert stalled is not None
    assert (stalled.status, stalled.reason, reason(made)) == ("True", expected, expected)
    assert words in stalled.message
    assert EmitEvent("Warning", expected, stalled.message) in made.actions


def test_a_template_that_touches_ours_is_told_and_the_running_pod_stays() -> None:
    wrong = workflow({"spec.template": {"spec": {"restartPolicy": "Never"}}})
    for made in (planned(wrong), planned(wrong, pod(workflow(), keeper=True, runtime=True))):
        assert kinds(made) == []
        assert reason(made) == "InvalidTemplate"
        assert "spec.template.spec.restartPolicy" in str(made.status.condition("Ready"))


# A life that runs.


def test_a_pod_that_is_not_ready_yet_is_left_alone() -> None:
    made = planned(workflow(epoch=1), pod(workflow()))
    assert kinds(made) == []
    assert (made.status.phase, reason(made)) == ("Starting", "Restoring")


def test_a_ready_keeper_is_the_proof_of_a_claim() -> None:
    made = planned(workflow(epoch=1), pod(workflow(), keeper=True))
    assert made.status.claimed
    assert made.status.is_true("Restored")
    assert made.status.is_true("Replicating")
    assert reason(made) == "RuntimeNotReady"


def test_a_ready_pod_makes_the_workflow_ready_and_forgets_failures() -> None:
    made = planned(workflow(**LIVED, failures=4), pod(workflow(), 2, keeper=True, runtime=True))
    assert kinds(made) == []
    assert made.status.is_true("Ready")
    assert (made.status.phase, made.status.failures) == ("Running", 0)


def test_a_keeper_that_lags_takes_replicating_away_and_leaves_restored() -> None:
    dwf = workflow(epoch=1)
    ready = planned(dwf, pod(dwf, keeper=True, runtime=True))
    made = planned(with_status(dwf, ready.status), pod(dwf, runtime=True))
    assert made.status.is_true("Restored")
    assert not made.status.is_true("Replicating")
    assert not made.status.is_true("Ready")


def test_a_transition_time_moves_only_with_its_status() -> None:
    dwf = workflow(epoch=1)
    first = plan(dwf, observed(pod(dwf)), NOW)
    later = plan(with_status(dwf, first.status), observed(pod(dwf, keeper=True)), NOW + timedelta(minutes=1))
    before, after = first.status.condition("Ready"), later.status.condition("Ready")
    assert before is not None
    assert after is not None
    assert before.reason != after.reason
    assert before.last_transition_time == after.last_transition_time
    restored = later.status.condition("Restored")
    assert restored is not None
    assert restored.last_transition_time == "2026-03-01T12:01:00Z"


def test_conditions_say_which_generation_they_are_about() -> None:
    made = planned(workflow({"metadata.generation": 5}))
    assert made.status.observed_generation == 5
    assert {condition.observed_generation for condition in made.status.conditions} == {5}


def test_a_condition_of_a_newer_operator_stays() -> None:
    newer = Condition(type="Verified", status="True", reason="AsPlanned", last_transition_time="2026-03-01T11:00:00Z")
    made = planned(workflow(epoch=1, conditions=(newer,)), pod(workflow(), keeper=True, runtime=True))
    assert made.status.condition("Verified") == newer
    assert {"Ready", "Restored"} < {condition.type for condition in made.status.conditions}


@pytest.mark.parametrize("said", ["StoreDenied", "BucketMissing", "CurrentMissing", "NameTaken", "ReplicaCorrupt"])
def test_a_keeper_that_needs_help_is_shown_and_its_pod_stays(said: str) -> None:
    made = planned(workflow(epoch=1), pod(workflow(), keeper_said={"reason": said, "message": "do this"}))
    assert kinds(made) == []
    stalled = made.status.condition("Stalled")
    assert stalled is not None
    assert (stalled.status, stalled.reason, stalled.message) == ("True", said, "do this")


def test_a_module_that_does_not_import_is_shown_with_its_traceback_line() -> None:
    said = {"reason": "EntrypointFailed", "message": "ModuleNotFoundError: No module named 'nmupy'"}
    made = planned(workflow(epoch=1), pod(workflow(), keeper=True, runtime_said=said))
    assert made.status.phase == "Stalled"
    assert "nmupy" in str(made.status.condition("Ready"))


def test_a_container_that_got_ready_again_has_left_its_trouble_behind() -> None:
    said = {"reason": "StoreDenied", "message": "403"}
    made = planned(workflow(epoch=1), pod(workflow(), keeper=True, runtime=True, keeper_said=said))
    assert made.status.is_true("Ready")


def test_an_event_is_told_once() -> None:
    dwf, troubled = workflow(epoch=1), pod(workflow(), keeper_said={"reason": "StoreDenied", "message": "403"})
    first = planned(dwf, troubled)
    assert EmitEvent("Warning", "StoreDenied", "403") in first.actions
    assert planned(with_status(dwf, first.status), troubled).actions == ()
    in_other_words = pod(workflow(), keeper_said={"reason": "StoreDenied", "message": "403 again"})
    assert planned(with_status(dwf, first.status), in_other_words).actions == ()


# A life that has to end.


@pytest.mark.parametrize("said", ["StaleEpoch", "VolumeLost", "VolumeUntrusted", "Fenced"])
def test_a_life_that_cannot_go_on_is_deleted_at_once_and_counted(said: str) -> None:
    dwf = workflow(epoch=1)
    made = planned(dwf, pod(dwf, keeper_said={"reason": said, "message": "why", "seen": 4}))
    assert deleted(made) == [("report-e1", 1)]
    assert made.status.failures == 1
    assert made.status.last_failure is not None
    assert (made.status.last_failure.epoch, made.status.last_failure.reason) == (1, said)
    again = planned(with_status(dwf, made.status), pod(dwf, keeper_said={"reason": said}))
    assert again.status.failures == 1


def test_a_runtime_that_was_fenced_ends_the_life_too() -> None:
    made = planned(workflow(epoch=1), pod(workflow(), keeper=True, runtime_said={"reason": "Fenced"}))
    assert deleted(made) == [("report-e1", 1)]


def test_a_changed_spec_seals_the_pod_with_its_own_grace() -> None:
    changed = workflow({"spec.source.inline": "pass\n"}, epoch=1)
    made = planned(changed, pod(workflow(), keeper=True, runtime=True))
    assert deleted(made) == [("report-e1", None)]
    assert (made.status.phase, reason(made), made.status.failures) == ("Stopping", "Rolling", 0)


def test_a_pod_that_stops_is_waited_for() -> None:
    changed = workflow({"spec.source.inline": "pass\n"}, epoch=1)
    made = planned(changed, pod(workflow(), keeper=True, deleting=True))
    assert made.actions == ()
    assert made.status.phase == "Stopping"


def test_break_glass_replaces_a_pod_that_waits_for_it_and_no_other() -> None:
    changed = workflow({"spec.storage.allowEmptyRestore": 1}, **LIVED)
    waits = pod(workflow(), 2, keeper_said={"reason": "ReplicaMissing", "message": "epoch 1"})
    assert deleted(planned(changed, waits)) == [("report-e2", None)]
    assert kinds(planned(changed, pod(workflow(), 2, keeper=True, runtime=True))) == []


def test_suspending_seals_the_pod_and_rests() -> None:
    suspended = workflow({"spec.operatingMode": "Suspended"}, **LIVED)
    assert deleted(planned(suspended, pod(suspended, 2, keeper=True, runtime=True))) == [("report-e2", None)]
    rests = planned(suspended)
    assert rests.actions == ()
    assert (rests.status.phase, reason(rests)) == ("Suspended", "Suspended")
    assert rests.requeue_after_seconds is None


def test_a_suspended_workflow_that_never_ran_is_not_started() -> None:
    assert planned(workflow({"spec.operatingMode": "Suspended"})).actions == ()


def test_a_deleted_workflow_ends_its_pod_and_makes_no_other() -> None:
    dwf = workflow({"metadata.deletionTimestamp": "2026-03-01T12:00:00Z", "metadata.finalizers": []}, **LIVED)
    assert deleted(planned(dwf, pod(dwf, 2))) == [("report-e2", None)]
    assert planned(dwf, pod(dwf, 2, deleting=True)).actions == ()
    assert planned(dwf, current=active(2)).actions == ()
