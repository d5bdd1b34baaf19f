"""What follows when a life is over, or when there is more than one pod?"""

from datetime import timedelta
from typing import Any

import pytest

from dormouse_operator.api import LastFailure
from dormouse_operator.plan import (
    CurrentAbsent,
    CurrentMalformed,
    CurrentSeen,
    CurrentUnread,
    EmitEvent,
    ReadCurrent,
    plan,
)
from unit.operator_plan.pods import LIVED, active, created, deleted, environment, kinds, planned, pod, reason, sealed
from unit.operator_samples import NOW, observed, store, with_status, workflow

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
    made = planned(with_status(workflow(changes), done.status), current=sealed(2, "Completed"))
    assert made.actions == ()
    assert (made.status.phase, made.status.is_true("Completed")) == ("Completed", True)


def test_an_evicted_life_is_followed_at_once_when_it_sealed_and_told_all_the_same() -> None:
    dwf = workflow(**LIVED)
    evicted = pod(dwf, 2, phase="Failed", runtime_said={"reason": "Stopped"})
    evicted["status"] |= {"reason": "Evicted", "message": 'Usage of EmptyDir volume "data" exceeds the limit "1Mi".'}
    made = planned(dwf, evicted, current=sealed(2, "Stopped"))
    assert created(made)["metadata"]["name"] == "report-e3"
    assert made.status.failures == 0
    failure = made.status.last_failure
    assert failure is not None
    assert (failure.epoch, failure.reason) == (2, "Evicted")
    (told,) = [action for action in made.actions if isinstance(action, EmitEvent) and action.type == "Warning"]
    assert told.reason == "Evicted"
    assert "exceeds the limit" in told.message


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


@pytest.mark.parametrize(("reason", "seconds"), [("PodGone", 1.0), ("NodeLost", 1.0), ("PodFailed", 300.0)])
def test_pods_that_were_taken_away_do_not_wait_as_long_as_those_that_fail(reason: str, seconds: float) -> None:
    last = LastFailure(epoch=2, reason=reason, time=NOW.isoformat())
    made = planned(workflow(**LIVED, failures=20, last_failure=last), current=active(2))
    assert made.actions == ()
    assert made.requeue_after_seconds == seconds


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


def test_a_malformed_current_is_left_to_the_keeper_which_refuses_or_has_the_break_glass() -> None:
    made = planned(workflow(**LIVED), current=CurrentMalformed("not JSON"))
    assert created(made)["metadata"]["name"] == "report-e3"
    assert environment(created(made), "DORMOUSE_FIRST_CLAIM") == "false"


def test_an_epoch_that_was_never_claimed_is_tried_again_as_a_first_claim() -> None:
    made = planned(workflow(epoch=1), current=CurrentAbsent())
    assert environment(created(made), "DORMOUSE_FIRST_CLAIM") == "true"


@pytest.mark.parametrize(
    ("failures", "pause"), [(0, 0), (1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (5000, 300)]
)
def test_the_pause_doubles_from_one_second_to_five_minutes(failures: int, pause: int) -> None:
    dwf = workflow(**LIVED, failures=failures)
    made = planned(dwf, pod(dwf, 2, phase="Failed"), current=active(2))
    assert made.status.failures == failures + 1
    if pause == 0:
        assert "CreatePod" in kinds(made)
    else:
        assert kinds(made) == []
        assert made.requeue_after_seconds == pause
        assert reason(made) == "Backoff"


def test_after_the_pause_the_next_epoch_starts_and_the_failure_is_counted_once() -> None:
    dwf = workflow(**LIVED, failures=2)
    failed = pod(dwf, 2, phase="Failed")
    waits = planned(dwf, failed, current=active(2))
    again = with_status(dwf, waits.status)
    early = plan(again, observed(failed, current=active(2)), NOW + timedelta(seconds=1.5))
    assert (kinds(early), early.requeue_after_seconds) == ([], 0.5)
    made = plan(again, observed(failed, current=active(2)), NOW + timedelta(seconds=2))
    assert created(made)["metadata"]["name"] == "report-e3"
    assert made.status.failures == 3


def test_a_clock_that_was_set_back_does_not_make_the_pause_longer() -> None:
    dwf = workflow(**LIVED, failures=2)
    failed = pod(dwf, 2, phase="Failed")
    waits = planned(dwf, failed, current=active(2))
    now = NOW - timedelta(days=1)
    made = plan(with_status(dwf, waits.status), observed(failed, current=active(2)), now)
    assert (made.requeue_after_seconds, kinds(made)) == (2, []), "it begins anew, and is told once"
    then = plan(with_status(dwf, made.status), observed(failed, current=active(2)), now + timedelta(seconds=2))
    assert created(then)["metadata"]["name"] == "report-e3"
    assert then.status.failures == 3


def test_a_changed_spec_does_not_wait_for_the_failures_of_the_old_one() -> None:
    changed = workflow({"metadata.generation": 2}, **LIVED, failures=9)
    made = planned(changed, pod(changed, 2, phase="Failed"), current=active(2))
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


@pytest.mark.parametrize(("phase", "is_followed"), [("Failed", True), ("Succeeded", True), ("Running", False)])
def test_a_pod_that_has_ended_and_cannot_go_keeps_nobody_waiting(phase: str, is_followed: bool) -> None:
    stuck = pod(workflow(**LIVED), 2, phase=phase, deleting=True)
    made = planned(workflow(**LIVED), stuck, current=active(2))
    assert ("CreatePod" in kinds(made)) is is_followed
    assert "DeletePod" not in kinds(made), "it was told already"


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
    "text",
    [
        "",
        "not JSON",
        "[]",
        '{"reason": 3}',
        '{"reason": "StaleEpoch", "seen": "x"}',
        '{"reason": "DiskFull", "message": {"more": "words"}}',
        "\x00",
        "[" * 2048 + "]" * 2048,
        '{"a":' * 2048,
        f'{{"reason": "{"x" * 4000}"}}',
    ],
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
