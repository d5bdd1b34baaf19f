"""Is everything counted that has to be, under few enough names?"""

from __future__ import annotations

from typing import Any

from dormouse_operator.controller.standing import OTHERS, standing

SINCE = "2026-03-01T12:00:00Z"
EPOCH_SECONDS = 1772366400.0


def condition(kind: str, status: str, reason: str = "Because", since: str = SINCE) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": since}


def workflow(phase: str, *conditions: dict[str, Any], namespace: str = "team") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace}, "status": {"phase": phase, "conditions": list(conditions)}}


def test_a_workflow_without_a_status_is_pending() -> None:
    assert standing([{"metadata": {"namespace": "team"}}], (), ()).workflows == {("team", "Pending"): 1}


def test_what_is_well_is_no_trouble() -> None:
    well = [condition("Ready", "True"), condition("Replicating", "True"), condition("Drilled", "True")]
    well += [condition("Stalled", "False"), condition("Blocked", "False"), condition("Completed", "False")]
    assert standing([workflow("Running", *well)], (), ()).troubles == {}


def test_what_rests_need_not_be_ready_but_may_be_blocked() -> None:
    resting = workflow("Suspended", condition("Ready", "False"), condition("Replicating", "False"))
    blocked = workflow("Suspended", condition("Blocked", "True", "NonDeterministic"))
    assert standing([resting, blocked], (), ()).troubles == {("team", "Blocked", "NonDeterministic"): 1}


def test_a_trouble_is_as_old_as_the_first_workflow_that_has_it() -> None:
    younger = workflow("Running", condition("Replicating", "False", "LagOverBound", "2026-03-01T13:00:00Z"))
    older = workflow("Running", condition("Replicating", "False", "StoreUnreachable"))
    found = standing([younger, older, younger], (), ())
    assert found.troubles["team", "Replicating", "LagOverBound"] == 2
    assert found.troubled_since == {("team", "Replicating"): EPOCH_SECONDS}


def test_a_status_that_somebody_wrote_by_hand_is_counted_all_the_same() -> None:
    found = standing([workflow("Stalled", {"type": "Stalled", "status": "True", "lastTransitionTime": "soon"})], (), ())
    assert (found.troubles, found.troubled_since) == ({("team", "Stalled", "Unknown"): 1}, {})


def test_pods_and_stores_are_counted_by_how_they_are() -> None:
    pods = [workflow("Running"), {"metadata": {"namespace": "team"}}]
    stores = [workflow("", condition("Available", "False")), workflow("")]
    found = standing((), pods, stores)
    assert found.pods == {("team", "Running"): 1, ("team", "Unknown"): 1}
    assert found.stores == {("team", "False"): 1, ("team", "Unknown"): 1}


def test_however_many_workflows_there_are_the_names_are_few() -> None:
    many = [
        workflow("Stalled", condition("Stalled", "True", f"Reason{number}"), namespace=f"team-{number}")
        for number in range(1200)
    ]
    found = standing(many, (), ())
    assert len(found.workflows) == 1001
    assert found.workflows[OTHERS, "Stalled"] == 200
    assert len({reason for _, _, reason in found.troubles}) == 101
