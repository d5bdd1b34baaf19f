"""When does a workflow leave a cordoned node, and when is there a PodDisruptionBudget?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dormouse.keeper.report import ExecutionCounts, Report, RuntimeStatus
from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import ApplyBudget, DeleteBudget, EmitEvent, Plan, Settings, plan
from unit.operator_plan.pods import LIVED, active, deleted, pod, sealed
from unit.operator_samples import NOW, UID, observed, with_status, workflow

REPORTING = Settings(reports_url="http://operator:8082")
IDLE = ExecutionCounts(open=2, sleeping=1, waiting=1)
BUSY = ExecutionCounts(open=2, running=1, sleeping=1)
CAREFUL = {"spec.disruption.waitForIdleSeconds": 60}
OPEN: frozenset[str] = frozenset()
CORDONED = frozenset({"node-a"})


def careful(**spec: Any) -> DurableWorkflow:
    return workflow({**CAREFUL, **spec}, **LIVED)


def planned(
    dwf: DurableWorkflow,
    counts: ExecutionCounts = BUSY,
    *,
    cordoned: frozenset[str] | None = CORDONED,
    after_seconds: float = 0,
    life: dict[str, Any] | None = None,
    settings: Settings = REPORTING,
    **seen: Any,
) -> Plan:
    pods = [life or pod(careful(), 2, keeper=True, runtime=True)]
    report = Report(
        name="report", namespace="team", workflow_uid=UID, pod_uid="uid-of-report-e2", epoch=2, position="2/9",
        runtime=RuntimeStatus(executions=counts),
    )  # fmt: skip
    now = NOW + timedelta(seconds=after_seconds)
    return plan(dwf, observed(*pods, report=report, cordoned_nodes=cordoned, **seen), now, settings)


def budgets(made: Plan) -> list[str]:
    return [type(each).__name__ for each in made.actions if isinstance(each, ApplyBudget | DeleteBudget)]


def draining(made: Plan) -> tuple[str, str]:
    condition = made.status.condition("Draining")
    assert condition is not None
    return condition.status, condition.reason


def on(dwf: DurableWorkflow, made: Plan) -> DurableWorkflow:
    """The same workflow once this status was saved."""
    return with_status(dwf, made.status)


def test_a_busy_workflow_on_a_cordoned_node_stays_for_its_time_and_not_longer() -> None:
    first = planned(careful())
    assert (deleted(first), draining(first), first.requeue_after_seconds) == ([], ("True", "NodeCordoned"), 60)
    dwf = on(careful(), first)
    assert deleted(planned(dwf, after_seconds=59)) == []
    last = planned(dwf, after_seconds=60)
    assert deleted(last) == [("report-e2", None)], "with its whole grace, so that it seals"
    assert last.status.phase == "Stopping"


def test_the_time_goes_on_when_another_operator_takes_over() -> None:
    dwf = on(careful(), planned(careful()))
    taken_over = planned(dwf, after_seconds=40, has_budget=None)
    assert (deleted(taken_over), taken_over.requeue_after_seconds) == ([], 20)


def test_a_clock_that_was_set_back_does_not_make_it_stay_longer_than_once_more_its_time() -> None:
    dwf = on(careful(), planned(careful()))
    set_back = planned(dwf, after_seconds=-86400)
    assert (deleted(set_back), set_back.requeue_after_seconds) == ([], 60)
    assert deleted(planned(on(dwf, set_back), after_seconds=-86400 + 60)) == [("report-e2", None)]


def test_an_idle_one_leaves_at_once() -> None:
    made = planned(careful(), IDLE)
    assert deleted(made) == [("report-e2", None)]
    assert {each.reason for each in made.actions if isinstance(each, EmitEvent)} == {"Draining", "NodeCordoned"}


def test_whether_it_is_idle_is_not_known_before_it_has_said_so() -> None:
    life = pod(careful(), 2, keeper=True, runtime=True)
    made = plan(careful(), observed(life, cordoned_nodes=CORDONED), NOW, REPORTING)
    assert deleted(made) == []


@pytest.mark.parametrize("cordoned", [OPEN, frozenset({"node-b"})])
def test_on_another_node_it_stays_whatever_it_does(cordoned: frozenset[str]) -> None:
    made = planned(careful(), IDLE, cordoned=cordoned)
    assert (deleted(made), draining(made), budgets(made)) == ([], ("False", "NodeOpen"), ["ApplyBudget"])


def test_a_node_that_is_uncordoned_in_time_keeps_its_pod_and_a_later_cordon_counts_anew() -> None:
    dwf = on(careful(), planned(careful()))
    dwf = on(dwf, planned(dwf, after_seconds=50, cordoned=OPEN))
    again = planned(dwf, after_seconds=100)
    assert (deleted(again), again.requeue_after_seconds) == ([], 60)


def test_without_the_field_a_cordon_is_no_concern() -> None:
    made = planned(workflow(**LIVED), IDLE, life=pod(workflow(), 2, keeper=True, runtime=True))
    assert (deleted(made), budgets(made), made.status.condition("Draining")) == ([], [], None)


def test_nothing_is_held_up_before_cordoned_nodes_are_known() -> None:
    made = planned(careful(), cordoned=None)
    assert (budgets(made), draining(made)) == ([], ("Unknown", "NodesNotRead"))


def test_the_budget_counts_one_pod_and_lets_an_unhealthy_one_go() -> None:
    (apply,) = [each for each in planned(careful()).actions if isinstance(each, ApplyBudget)]
    assert apply.manifest["spec"] == {
        "minAvailable": 1,
        "selector": {"matchLabels": {"dormouse.dev/name": "report"}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    (owner,) = apply.manifest["metadata"]["ownerReferences"]
    assert owner["uid"] == UID


def test_a_budget_that_is_refused_is_told_with_the_remedy() -> None:
    made = planned(careful(), cordoned=OPEN, budget_error="poddisruptionbudgets is forbidden")
    assert draining(made) == ("Unknown", "BudgetRefused")
    assert "disruption.enabled" in str(made.status.condition("Draining"))


def test_it_is_taken_away_when_nobody_wants_it_any_more_and_then_no_more_is_said() -> None:
    before = planned(careful(), cordoned=OPEN)
    without = on(workflow(**LIVED), before)
    made = planned(without, cordoned=OPEN)
    assert budgets(made) == ["DeleteBudget"]
    assert draining(made) == ("False", "NodeOpen"), "until it is gone"
    gone = planned(without, cordoned=OPEN, has_budget=False)
    assert (budgets(gone), gone.status.condition("Draining")) == ([], None)


@pytest.mark.parametrize(
    "changes",
    [{"spec.operatingMode": "Suspended"}, {"metadata.deletionTimestamp": "2026-03-01T12:00:00Z"}],
)
def test_a_suspended_or_deleted_one_keeps_no_budget(changes: dict[str, Any]) -> None:
    known = planned(careful(), cordoned=OPEN)
    assert budgets(planned(on(careful(**changes), known), cordoned=OPEN)) == ["DeleteBudget"]


def test_a_completed_one_keeps_no_budget() -> None:
    known = on(careful(), planned(careful(), cordoned=OPEN))
    made = plan(known, observed(current=sealed(2, "Completed"), cordoned_nodes=OPEN), NOW, REPORTING)
    assert (made.status.phase, budgets(made)) == ("Completed", ["DeleteBudget"])


def test_between_two_lives_the_budget_stays() -> None:
    known = on(careful(), planned(careful(), cordoned=OPEN))
    made = plan(known, observed(current=active(2), cordoned_nodes=OPEN), NOW, REPORTING)
    assert "DeleteBudget" not in budgets(made)
