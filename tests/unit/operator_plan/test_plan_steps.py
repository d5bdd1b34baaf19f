"""What is planned next, for each state in which a DurableWorkflow can be found?"""

from datetime import timedelta
from typing import Any

import pytest

from dormouse_operator.api import LastFailure
from dormouse_operator.plan import (
    ApplyConfigMap,
    CreatePod,
    CurrentAbsent,
    CurrentSeen,
    CurrentUnread,
    DeletePod,
    EmitEvent,
    Plan,
    ReadCurrent,
    plan,
)
from unit.operator_plan.pods import active, created, planned, pod, sealed
from unit.operator_samples import NOW, observed, store, with_status, workflow


def kinds(made: Plan) -> list[str]:
    return [type(action).__name__ for action in made.actions if not isinstance(action, EmitEvent)]


def deleted(made: Plan) -> list[tuple[str, int | None]]:
    return [(action.name, action.grace_seconds) for action in made.actions if isinstance(action, DeletePod)]


def reason(made: Plan) -> str:
    ready = made.status.condition("Ready")
    assert ready is not None
    return ready.reason


def environment(manifest: dict[str, Any], name: str) -> str:
    (keeper,) = manifest["spec"]["initContainers"]
    (value,) = [entry["value"] for entry in keeper["env"] if entry["name"] == name]
    return str(value)


LIVED: dict[str, Any] = {"epoch": 2, "claimed": True}


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
    wrong = workflow({"spec.template": {"spec": {"hostNetwork": True}}})
    for made in (planned(wrong), planned(wrong, pod(workflow(), keeper=True, runtime=True))):
        assert kinds(made) == []
        assert reason(made) == "InvalidTemplate"
        assert "spec.template.spec.hostNetwork" in str(made.status.condition("Ready"))


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
    made = planned(workflow(epoch=1, failures=4), pod(workflow(), keeper=True, runtime=True))
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
    changed = workflow({"spec.storage.allowEmptyRestore": 1}, epoch=2)
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
    dwf = workflow({"metadata.deletionTimestamp": "2026-03-01T12:00:00Z"}, **LIVED)
    assert deleted(planned(dwf, pod(dwf, 2))) == [("report-e2", None)]
    assert planned(dwf, pod(dwf, 2, deleting=True)).actions == ()
    assert planned(dwf, current=active(2)).actions == ()


# After a life.


def test_how_the_last_life_ended_is_read_from_the_store_before_the_next() -> None:
    made = planned(workflow(**LIVED))
    assert kinds(made) == ["ReadCurrent"]
    assert made.requeue_after_seconds is not None


def test_a_store_that_cannot_be_read_is_shown_and_asked_again() -> None:
    made = planned(workflow(**LIVED), current=CurrentUnread("connection refused"))
    assert made.actions == (ReadCurrent(),)
    assert reason(made) == "StoreUnreachable"
    assert "connection refused" in str(made.status.condition("Ready"))


def test_only_a_seal_in_the_store_completes_a_workflow() -> None:
    dwf = workflow(**LIVED)
    said = {"reason": "Completed", "position": "2/9", "result": "succeeded"}
    ended = pod(dwf, 2, phase="Succeeded", runtime_said=said)
    hint = planned(dwf, ended)
    assert kinds(hint) == ["ReadCurrent"]
    assert not hint.status.is_true("Completed")
    made = planned(with_status(dwf, hint.status), ended, current=sealed(2, "Completed"))
    assert kinds(made) == []
    completed = made.status.condition("Completed")
    assert completed is not None
    assert (completed.status, completed.reason) == ("True", "Succeeded")
    assert made.status.position == "2/9"
    assert made.status.last_seal is not None
    assert (made.status.last_seal.epoch, made.status.last_seal.reason) == (2, "Completed")


def test_a_completed_workflow_says_that_its_executions_failed() -> None:
    dwf = workflow(**LIVED)
    ended = pod(dwf, 2, phase="Succeeded", runtime_said={"reason": "Completed", "result": "failed"})
    completed = planned(dwf, ended, current=sealed(2, "Completed")).status.condition("Completed")
    assert completed is not None
    assert completed.reason == "Failed"


@pytest.mark.parametrize("changes", [{}, {"spec.source.inline": "pass\n"}, {"spec.operatingMode": "Suspended"}])
def test_a_completed_workflow_is_never_started_again(changes: dict[str, Any]) -> None:
    dwf = workflow(**LIVED)
    done = planned(dwf, current=sealed(2, "Completed"))
    made = planned(with_status(workflow(changes), done.status))
    assert made.actions == ()
    assert (made.status.phase, made.status.is_true("Completed")) == ("Completed", True)


def test_a_stopped_life_is_followed_at_once() -> None:
    earlier = LastFailure(epoch=1, reason="PodGone", time="2026-03-01T12:00:00Z")
    made = planned(workflow(**LIVED, failures=3, last_failure=earlier), current=sealed(2, "Stopped"))
    assert made.status.failures == 0
    assert created(made)["metadata"]["name"] == "report-e3"
    assert environment(created(made), "DORMOUSE_FIRST_CLAIM") == "false"


def test_the_seal_of_another_workflow_completes_nothing() -> None:
    theirs = CurrentSeen(2, "Sealed", "Completed", workflow_uid="another")
    assert created(planned(workflow(**LIVED), current=theirs))["metadata"]["name"] == "report-e3"


def test_a_lost_pod_is_followed_at_once_the_first_time() -> None:
    made = planned(workflow(**LIVED), current=active(2))
    assert created(made)["metadata"]["name"] == "report-e3"
    assert made.status.failures == 1
    assert made.status.last_failure is not None
    assert made.status.last_failure.reason == "PodGone"


def test_the_next_epoch_is_above_everything_ever_seen() -> None:
    dwf = workflow(**LIVED)
    assert created(planned(dwf, current=active(9)))["metadata"]["name"] == "report-e10"
    stale = pod(dwf, 2, phase="Failed", keeper_said={"reason": "StaleEpoch", "seen": 14})
    assert created(planned(dwf, stale, current=active(9)))["metadata"]["name"] == "report-e15"
    newer = pod(dwf, 20, phase="Failed")
    assert created(planned(dwf, newer, current=CurrentAbsent()))["metadata"]["name"] == "report-e21"


def test_a_claim_that_only_current_shows_rules_out_a_first_claim() -> None:
    made = planned(workflow(epoch=1), current=active(1))
    assert environment(created(made), "DORMOUSE_FIRST_CLAIM") == "false"
    assert made.status.claimed


def test_an_epoch_that_was_never_claimed_is_tried_again_as_a_first_claim() -> None:
    made = planned(workflow(epoch=1), current=CurrentAbsent())
    assert environment(created(made), "DORMOUSE_FIRST_CLAIM") == "true"


@pytest.mark.parametrize(
    ("failures", "pause"), [(0, 0), (1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (5000, 300)]
)
def test_the_pause_doubles_from_one_second_to_five_minutes(failures: int, pause: int) -> None:
    made = planned(workflow(**LIVED, failures=failures), current=active(2))
    assert made.status.failures == failures + 1
    if pause == 0:
        assert "CreatePod" in kinds(made)
    else:
        assert kinds(made) == []
        assert made.requeue_after_seconds == pause
        assert reason(made) == "Backoff"


def test_after_the_pause_the_next_epoch_starts_and_the_failure_is_counted_once() -> None:
    dwf = workflow(**LIVED, failures=2)
    waits = planned(dwf, current=active(2))
    again = with_status(dwf, waits.status)
    early = plan(again, observed(current=active(2)), NOW + timedelta(seconds=1.5))
    assert (kinds(early), early.requeue_after_seconds) == ([], 0.5)
    made = plan(again, observed(current=active(2)), NOW + timedelta(seconds=2))
    assert created(made)["metadata"]["name"] == "report-e3"
    assert made.status.failures == 3


def test_a_clock_that_was_set_back_does_not_make_the_pause_longer() -> None:
    dwf = workflow(**LIVED, failures=2)
    waits = planned(dwf, current=active(2))
    made = plan(with_status(dwf, waits.status), observed(current=active(2)), NOW - timedelta(days=1))
    assert made.requeue_after_seconds == 2


def test_a_changed_spec_does_not_wait_for_the_failures_of_the_old_one() -> None:
    changed = workflow({"metadata.generation": 2}, **LIVED, failures=9)
    made = planned(changed, current=active(2))
    assert "CreatePod" in kinds(made)
    assert made.status.failures == 1


# Several pods.


def test_a_lost_node_frees_the_next_epoch_and_its_pod_is_deleted() -> None:
    dwf = workflow(**LIVED)
    lost = pod(dwf, 2, keeper=True, runtime=True, node="node-b")
    made = planned(dwf, lost, lost_nodes=frozenset({"node-b"}), current=active(2))
    assert created(made)["metadata"]["name"] == "report-e3"
    assert deleted(made) == [("report-e2", None)]


def test_an_older_pod_that_comes_back_with_its_node_is_deleted_at_once() -> None:
    dwf = workflow(epoch=3, claimed=True)
    back, newest = pod(dwf, 2, runtime=True), pod(dwf, 3, keeper=True, runtime=True)
    made = planned(dwf, back, newest)
    assert deleted(made) == [("report-e2", 1)]
    assert made.status.phase == "Running"


def test_no_epoch_starts_while_an_older_pod_may_still_write() -> None:
    dwf = workflow(epoch=3, claimed=True)
    made = planned(dwf, pod(dwf, 2, deleting=True), pod(dwf, 3, phase="Failed"), current=active(3))
    assert "CreatePod" not in kinds(made)
    assert reason(made) == "OlderPodAlive"


def test_the_remains_of_the_last_life_go_when_the_next_one_starts() -> None:
    dwf = workflow(**LIVED)
    made = planned(dwf, pod(dwf, 2, phase="Failed"), current=active(2))
    assert kinds(made) == ["ApplyConfigMap", "CreatePod", "DeletePod"]


def test_a_pod_without_status_counts_as_live() -> None:
    dwf = workflow(epoch=1)
    fresh = pod(dwf)
    del fresh["status"]
    assert kinds(planned(dwf, fresh)) == []


@pytest.mark.parametrize(
    "text", ["", "not JSON", "[]", '{"reason": 3}', '{"reason": "StaleEpoch", "seen": "x"}', "\x00"]
)
def test_a_strange_termination_message_does_not_break_the_plan(text: str) -> None:
    dwf = workflow(epoch=1)
    strange = pod(dwf, keeper_said={"reason": "Fenced"})
    strange["status"]["initContainerStatuses"][0]["lastState"]["terminated"]["message"] = text
    assert planned(dwf, strange).status.epoch == 1


def test_the_plan_follows_the_store_that_changed() -> None:
    dwf = workflow(epoch=1)
    made = planned(dwf, pod(dwf, keeper=True, runtime=True), store=store({"spec.region": "eu-west-1"}))
    assert reason(made) == "Rolling"
