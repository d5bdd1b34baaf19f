"""What does a workflow do that has to wait until others are replaced?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import Plan, Settings, plan
from unit.operator_plan.pods import LIVED, deleted, kinds, pod, reason
from unit.operator_samples import NOW, observed, with_status, workflow

BOUND = Settings(on_cluster=True, reports_url="http://operator:8082", max_concurrent_rolls=3)
BEFORE = workflow(**LIVED)
CHANGED = workflow({"spec.image": "example/app:2"}, **LIVED)


def ready(**how: Any) -> dict[str, Any]:
    return pod(BEFORE, 2, keeper=True, runtime=True, **how)


def planned(dwf: DurableWorkflow, *pods: dict[str, Any], may_roll: bool, seconds: float = 0) -> Plan:
    return plan(dwf, observed(*pods, may_roll=may_roll), NOW + timedelta(seconds=seconds), BOUND)


def said(made: Plan, kind: str) -> tuple[str, str]:
    condition = made.status.condition(kind)
    assert condition is not None
    return condition.status, condition.reason


def test_its_pod_stays_until_it_is_its_turn() -> None:
    made = planned(CHANGED, ready(), may_roll=False)
    assert (kinds(made), made.wants_turn, made.status.rolling_since) == ([], True, "")
    assert said(made, "UpToDate") == ("False", "WaitsForOthers")
    assert said(made, "Reconciling") == ("True", "WaitsForOthers")
    assert made.status.is_true("Ready")
    condition = made.status.condition("UpToDate")
    assert condition is not None
    assert "maxConcurrentRolls" in condition.message
    assert made.requeue_after_seconds is None, "it is woken, and does not ask again by itself"


def test_on_its_turn_the_same_write_says_so_and_that_it_rolls() -> None:
    made = planned(CHANGED, ready(), may_roll=True)
    assert (deleted(made), made.wants_turn) == ([("report-e2", None)], False)
    assert (reason(made), made.status.rolling_since) == ("Rolling", "2026-03-01T12:00:00Z")


def test_it_counts_until_the_new_pod_is_ready() -> None:
    rolling = with_status(CHANGED, planned(CHANGED, ready(), may_roll=True).status)
    stopping = planned(rolling, ready(deleting=True), may_roll=True)
    assert stopping.status.rolling_since
    starting = planned(with_status(CHANGED, stopping.status), pod(CHANGED, 3), may_roll=True)
    assert (starting.status.phase, bool(starting.status.rolling_since)) == ("Starting", True)
    runs = planned(with_status(CHANGED, starting.status), pod(CHANGED, 3, keeper=True, runtime=True), may_roll=True)
    assert (runs.status.phase, runs.status.rolling_since) == ("Running", "")


def test_one_that_somebody_has_to_act_on_counts_no_more() -> None:
    rolling = with_status(CHANGED, planned(CHANGED, ready(), may_roll=True).status)
    broken = pod(CHANGED, 3, keeper=True, runtime_said={"reason": "EntrypointFailed", "message": "no module"})
    made = planned(rolling, broken, may_roll=True)
    assert (made.status.phase, made.status.rolling_since) == ("Stalled", "")


def test_a_turn_ends_although_the_new_pod_never_gets_ready() -> None:
    rolling = with_status(CHANGED, planned(CHANGED, ready(), may_roll=True).status)
    early = planned(rolling, pod(CHANGED, 3), may_roll=True, seconds=60)
    assert (early.requeue_after_seconds, bool(early.status.rolling_since)) == (540.0, True)
    assert planned(rolling, pod(CHANGED, 3), may_roll=True, seconds=600).status.rolling_since == ""


def test_a_clock_that_was_set_back_makes_no_turn_longer() -> None:
    rolling = with_status(CHANGED, planned(CHANGED, ready(), may_roll=True).status)
    set_back = planned(rolling, pod(CHANGED, 3), may_roll=True, seconds=-86400)
    assert set_back.requeue_after_seconds == 600.0, "it begins anew"
    then = planned(with_status(CHANGED, set_back.status), pod(CHANGED, 3), may_roll=True, seconds=-86400 + 600)
    assert (then.status.phase, then.status.rolling_since) == ("Starting", "")


def test_a_pod_that_is_gone_is_replaced_without_a_turn_and_has_the_newest_spec() -> None:
    gone = planned(CHANGED, ready(phase="Failed"), may_roll=False)
    assert gone.wants_turn is False
    assert gone.status.rolling_since == ""
    assert kinds(gone) == ["ReadCurrent"], "how it ended is read first, as ever"


def test_a_broken_template_is_said_before_the_turn() -> None:
    wrong = workflow({"spec.template.spec": {"restartPolicy": "Never"}}, **LIVED)
    made = planned(wrong, ready(), may_roll=False)
    assert (reason(made), made.wants_turn) == ("InvalidTemplate", False)


@pytest.mark.parametrize("may_roll", [True, False])
def test_what_follows_its_spec_wants_no_turn(may_roll: bool) -> None:
    made = planned(BEFORE, ready(), may_roll=may_roll)
    assert (kinds(made), made.wants_turn, said(made, "UpToDate")) == ([], False, ("True", "UpToDate"))


def test_without_a_bound_nothing_is_counted() -> None:
    made = plan(CHANGED, observed(ready()), NOW)
    assert (deleted(made), made.status.rolling_since) == ([("report-e2", None)], "")
