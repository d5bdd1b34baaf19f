"""In which order does an object go? Its pod, its data, then itself; and nothing is given up silently."""

from __future__ import annotations

from typing import Any

import pytest

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import (
    ABANDON_ANNOTATION,
    FINALIZER,
    AddFinalizer,
    CurrentAbsent,
    CurrentMalformed,
    CurrentSeen,
    CurrentUnread,
    Plan,
    ReleaseData,
    Settings,
    plan,
)
from unit.operator_plan.pods import LIVED, active, deleted, kinds, planned, pod, reason, sealed
from unit.operator_samples import NOW, UID, observed, store, with_status, workflow

GONE = {"metadata.deletionTimestamp": "2026-03-01T12:00:00Z", "metadata.finalizers": [FINALIZER]}
DELETE = {**GONE, "spec.deletionPolicy": "Delete"}
RELEASED = CurrentSeen(2, "Released", workflow_uid=UID)
TOMBSTONE = CurrentSeen(2, "Released", workflow_uid=UID, has_data=False)
GOES = ["LeaveStore", "RemoveFinalizer"]
DELETING = CurrentSeen(2, "Deleting", workflow_uid=UID)


def leaving(changes: dict[str, Any] | None = None, **status: Any) -> DurableWorkflow:
    return workflow({**GONE, **(changes or {})}, **{**LIVED, **status})


def released(made: Plan) -> list[str]:
    return [action.policy for action in made.actions if isinstance(action, ReleaseData)]


def test_on_a_cluster_the_object_is_held_before_its_first_pod_is_made() -> None:
    settings = Settings(on_cluster=True)
    good = {"status": "True", "reason": "Good", "lastTransitionTime": "t"}
    conditions = [{**good, "type": "ConditionalWrites"}, {**good, "type": "InUse"}]
    seen = observed(store=store({"status.conditions": conditions}))
    assert kinds(plan(workflow(), seen, NOW, settings)) == ["AddFinalizer", "ApplyConfigMap", "CreatePod"]
    held = workflow({"metadata.finalizers": [FINALIZER]})
    assert AddFinalizer() not in plan(held, seen, NOW, settings).actions


def test_the_pod_ends_before_its_data_is_touched() -> None:
    dwf = leaving()
    made = planned(dwf, pod(dwf, 2, keeper=True, runtime=True), current=active(2))
    assert (kinds(made), deleted(made)) == (["DeletePod"], [("report-e2", None)])
    waiting = planned(dwf, pod(dwf, 2, keeper=True, deleting=True), current=active(2))
    assert kinds(waiting) == []


def test_a_pod_on_a_lost_node_is_not_waited_for() -> None:
    dwf = leaving()
    made = planned(dwf, pod(dwf, 2, deleting=True), current=active(2), lost_nodes=frozenset({"node-a"}))
    assert released(made) == ["Retain"]


def test_current_is_read_after_the_pod_has_ended() -> None:
    assert kinds(planned(leaving(), current=CurrentUnread())) == ["ReadCurrent"]


@pytest.mark.parametrize("current", [active(2), sealed(2, "Completed")])
def test_the_policy_decides_what_becomes_of_the_data(current: CurrentSeen) -> None:
    assert released(planned(leaving(), current=current)) == ["Retain"]
    assert released(planned(leaving(DELETE), current=current)) == ["Delete"]


def test_the_object_goes_once_current_says_that_its_data_is_released() -> None:
    assert kinds(planned(leaving(), current=RELEASED)) == GOES
    assert kinds(planned(leaving(DELETE), current=TOMBSTONE)) == GOES
    assert released(planned(leaving(DELETE), current=RELEASED)) == ["Delete"]


def test_an_object_that_may_go_does_not_ask_again_whether_its_store_is_there() -> None:
    dwf = leaving()
    told = with_status(dwf, planned(dwf, current=RELEASED).status)
    assert kinds(planned(told, store=None)) == GOES


def test_data_that_is_half_removed_is_removed_whatever_the_policy_says_now() -> None:
    assert released(planned(leaving(), current=DELETING)) == ["Delete"]


def test_a_lost_current_does_not_hold_the_object_and_deletes_what_is_left() -> None:
    assert kinds(planned(leaving(), current=CurrentAbsent())) == GOES
    assert released(planned(leaving(DELETE), current=CurrentAbsent())) == ["Delete"]


def test_an_object_whose_status_was_wiped_does_not_leave_its_data_behind() -> None:
    wiped: dict[str, Any] = {"epoch": 0, "claimed": False, "claimed_at": ""}
    assert kinds(planned(leaving(**wiped))) == ["ReadCurrent"]
    assert released(planned(leaving(DELETE, **wiped), current=active(2))) == ["Delete"]
    assert reason(planned(leaving(**wiped), store=None)) == "StoreNotFound"
    assert kinds(planned(leaving(DELETE, **wiped), current=CurrentAbsent())) == GOES


def test_the_data_of_another_workflow_is_left_alone() -> None:
    theirs = CurrentSeen(3, "Active", workflow_uid="another")
    assert kinds(planned(leaving(DELETE), current=theirs)) == GOES


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("StoreNotFound", {"store": None}),
        ("SecretNotFound", {"secret_keys": None}),
        ("CurrentMalformed", {"current": CurrentMalformed("not JSON")}),
        ("StoreUnreachable", {"current": CurrentUnread("connection refused")}),
        ("StoreUnreachable", {"current": active(2), "release_error": "read only"}),
    ],
)
def test_what_stands_in_the_way_is_said_with_the_way_out_and_the_way_out_works(
    why: str, changes: dict[str, Any]
) -> None:
    made = planned(leaving(), **changes)
    assert reason(made) == why
    assert "RemoveFinalizer" not in kinds(made)
    assert f"{ABANDON_ANNOTATION}: true" in str(made.status.condition("Ready"))
    abandoned = leaving({"metadata.annotations": {ABANDON_ANNOTATION: "true"}})
    assert kinds(planned(abandoned, **changes)) == GOES


def test_a_current_that_somebody_may_put_right_is_read_again_until_it_is() -> None:
    made = planned(leaving(), current=CurrentMalformed("not JSON"))
    assert (kinds(made), made.requeue_after_seconds) == (["ReadCurrent"], 5.0)


def test_in_a_namespace_that_is_being_deleted_the_data_is_released_before_the_object_is_deleted_too() -> None:
    dwf = workflow({"metadata.finalizers": [FINALIZER]}, **LIVED)
    assert kinds(planned(dwf, namespace_ends=True)) == ["ReadCurrent"]
    assert released(planned(dwf, namespace_ends=True, current=sealed(2, "Stopped"))) == ["Retain"]
    assert kinds(planned(dwf, namespace_ends=True, current=RELEASED)) == GOES
    let_go = workflow({"metadata.finalizers": []}, **LIVED)
    assert planned(let_go, namespace_ends=True, current=RELEASED).actions == ()


def test_an_object_that_nobody_holds_asks_for_nothing() -> None:
    assert planned(leaving({"metadata.finalizers": []}), current=active(2)).actions == ()
