"""What may somebody edit by hand, in a status or on a pod, without anything being lost or started twice?"""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import (
    FINALIZER,
    AddFinalizer,
    Current,
    CurrentAbsent,
    CurrentMalformed,
    CurrentSeen,
    CurrentUnread,
    DeleteWorkflow,
    Refusal,
    Settings,
    plan,
)
from dormouse_operator.plan.identity import identity_of
from unit.operator_plan.pods import LIVED, active, created, deleted, environment, kinds, planned, pod, reason, sealed
from unit.operator_samples import NOW, UID, observed, with_status, workflow

WIPED: dict[str, Any] = {"epoch": 0, "claimed": False, "claimed_at": ""}


# A pod.


def edited(made: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    changed = copy.deepcopy(made)
    changed["metadata"] |= metadata
    return changed


@pytest.mark.parametrize("forged", ["99", "0", "nonsense"])
def test_the_epoch_of_a_pod_is_that_of_its_name_whatever_its_label_says(forged: str) -> None:
    dwf = workflow(**LIVED)
    runs = pod(dwf, 2, keeper=True, runtime=True)
    labels = {**runs["metadata"]["labels"], "dormouse.dev/epoch": forged}
    made = planned(dwf, edited(runs, labels=labels), current=active(2))
    assert (made.status.epoch, made.status.phase, kinds(made)) == (2, "Running", [])


def test_a_pod_that_is_watched_no_more_is_ended_and_looked_after_until_it_has() -> None:
    dwf = workflow(**LIVED)
    runs = edited(pod(dwf, 2, keeper=True, runtime=True), labels={})
    made = planned(dwf, runs, current=active(2))
    assert (reason(made), deleted(made), made.requeue_after_seconds) == ("PodEdited", [("report-e2", None)], 5)
    ending = edited(pod(dwf, 2, keeper=True, deleting=True), labels={})
    waiting = planned(dwf, ending, current=active(2))
    assert (reason(waiting), kinds(waiting), waiting.requeue_after_seconds) == ("PodStopping", [], 5)


def test_a_life_is_known_by_what_nobody_can_edit() -> None:
    runs = pod(workflow(**LIVED), 2)
    found = identity_of(edited(runs, labels={}, ownerReferences=[], annotations={}))
    assert found is not None
    assert (found.workflow, found.workflow_uid, found.epoch) == ("report", UID, 2)
    for copied in ("report-e2-debug", "another-e2", "report"):
        assert identity_of(edited(runs, name=copied)) is None
    assert identity_of({"metadata": {"name": "report-e2"}, "spec": {"containers": []}}) is None


# A status.


def test_a_status_that_was_wiped_comes_back_from_the_pod() -> None:
    dwf = workflow(**WIPED)
    made = planned(dwf, pod(dwf, 2, keeper=True, runtime=True))
    assert (made.status.epoch, made.status.claimed, made.status.phase) == (2, True, "Running")


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_status_that_lost_its_epoch_is_put_right_from_the_store_before_the_next_life(epoch: int) -> None:
    dwf = workflow({"metadata.finalizers": [FINALIZER]}, **{**WIPED, "epoch": epoch})
    assert kinds(planned(dwf)) == ["ReadCurrent"]
    made = planned(dwf, current=active(7))
    assert (created(made)["metadata"]["name"], environment(created(made), "DORMOUSE_FIRST_CLAIM")) == (
        "report-e8",
        "false",
    )


def test_with_its_status_wiped_and_current_gone_nothing_starts_empty() -> None:
    dwf = workflow({"metadata.finalizers": [FINALIZER]}, **WIPED)
    assert environment(created(planned(dwf, current=CurrentAbsent())), "DORMOUSE_FIRST_CLAIM") == "false"
    new = workflow(**WIPED)
    assert environment(created(planned(new)), "DORMOUSE_FIRST_CLAIM") == "true"


def test_a_finalizer_that_was_taken_away_is_put_back_whatever_the_workflow_does() -> None:
    on_cluster = Settings(on_cluster=True)
    taken = workflow({"metadata.finalizers": ["example.com/other"]}, **LIVED)
    runs = pod(taken, 2, keeper=True, runtime=True)
    rests = workflow({"metadata.finalizers": [], "spec.operatingMode": "Suspended"}, **LIVED)
    for dwf, world in ((taken, observed(runs)), (rests, observed(current=sealed(2, "Stopped")))):
        assert AddFinalizer() in plan(dwf, world, NOW, on_cluster).actions
        assert AddFinalizer() not in plan(dwf, world, NOW).actions
        assert AddFinalizer() not in plan(dwf, replace(world, namespace_ends=True), NOW, on_cluster).actions
        refused = replace(world, refusal=Refusal("forbidden", 1.0))
        assert AddFinalizer() not in plan(dwf, refused, NOW, on_cluster).actions
    next_life = plan(taken, observed(current=active(2)), NOW, on_cluster)
    assert [action for action in next_life.actions if isinstance(action, AddFinalizer)] == [AddFinalizer()]
    gone = workflow({"metadata.finalizers": [], "metadata.deletionTimestamp": "2026-03-01T12:00:00Z"}, **LIVED)
    assert AddFinalizer() not in plan(gone, observed(runs), NOW, on_cluster).actions


def test_an_epoch_that_was_set_too_high_costs_numbers_and_nothing_else() -> None:
    dwf = workflow(**{**LIVED, "epoch": 500})
    made = planned(dwf, pod(dwf, 2, keeper=True, runtime=True), current=active(2))
    assert (kinds(made), made.status.phase) == ([], "Running")
    assert created(planned(dwf, current=active(2)))["metadata"]["name"] == "report-e501"


def forged(changes: dict[str, Any] | None = None) -> DurableWorkflow:
    """Somebody wrote into its status that it has completed."""
    made = planned(workflow(**LIVED), current=sealed(2, "Completed"))
    assert made.status.is_true("Completed")
    return with_status(workflow(changes), made.status)


@pytest.mark.parametrize("current", [active(2), sealed(2, "Hibernated"), sealed(3, "Stopped")])
def test_a_workflow_that_did_not_complete_goes_on_whatever_its_status_says(current: CurrentSeen) -> None:
    assert kinds(planned(forged())) == ["ReadCurrent"]
    made = planned(forged(), current=current)
    assert created(made)["metadata"]["name"] == f"report-e{current.epoch + 1}"
    assert not made.status.is_true("Completed")


def test_a_pod_that_runs_is_not_left_alone_because_the_status_says_that_it_is_over() -> None:
    runs = pod(forged(), 2, keeper=True, runtime=True)
    assert kinds(planned(forged(), runs)) == ["ReadCurrent"]
    made = planned(forged(), runs, current=active(2))
    assert (kinds(made), made.status.phase, made.status.is_true("Completed")) == ([], "Running", False)


def test_what_was_never_claimed_has_not_completed() -> None:
    never = with_status(workflow(), replace(forged().status, claimed=False, last_seal=None))
    assert created(planned(never, current=CurrentAbsent()))["metadata"]["name"] == "report-e3"


def test_the_word_of_a_pod_counts_only_with_the_seal_that_was_seen() -> None:
    over = pod(forged(), 2, phase="Succeeded", runtime_said={"reason": "Completed"})
    assert kinds(planned(forged(), over)) == []
    unsealed = with_status(workflow(), replace(forged().status, last_seal=None))
    assert kinds(planned(unsealed, over)) == ["ReadCurrent"]
    assert created(planned(unsealed, over, current=active(2)))["metadata"]["name"] == "report-e3"


@pytest.mark.parametrize(
    "current", [CurrentAbsent(), CurrentMalformed("x"), CurrentSeen(9, "Active", workflow_uid="another")]
)
def test_what_only_its_status_remembers_is_believed(current: Current) -> None:
    made = planned(forged(), current=current)
    assert (kinds(made), made.status.phase) == ([], "Completed")


def test_nothing_expires_before_it_is_known_to_have_completed() -> None:
    dwf = forged({"spec.ttlSecondsAfterFinished": 60})
    later = NOW + timedelta(days=1)

    def expires(current: Current) -> bool:
        made = plan(dwf, observed(current=current), later, Settings(on_cluster=True))
        return DeleteWorkflow() in made.actions

    assert not expires(CurrentUnread())
    assert not expires(CurrentUnread("connection refused"))
    assert not expires(active(2))
    assert expires(sealed(2, "Completed"))


def test_a_pod_of_before_the_end_is_removed_when_its_node_is_back() -> None:
    dwf = forged()
    back = pod(dwf, 1, keeper=True)
    assert deleted(planned(dwf, back, current=sealed(2, "Completed"))) == [("report-e1", 1)]
