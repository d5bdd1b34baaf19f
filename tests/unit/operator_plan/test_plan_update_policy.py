"""When is a running pod replaced to follow a changed spec?"""

from __future__ import annotations

from typing import Any

import pytest

from dormouse.keeper.report import ExecutionCounts, Report, RuntimeStatus
from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import Plan, Settings, build_pod, plan
from unit.operator_plan.pods import LIVED, deleted, kinds, pod, seen
from unit.operator_samples import NOW, UID, observed, store, workflow

ON_CLUSTER = Settings(on_cluster=True, reports_url="http://operator:8082")
BEFORE = workflow(**LIVED)
IDLE = ExecutionCounts(open=2, sleeping=1, waiting=1)
BUSY = ExecutionCounts(open=2, running=1, sleeping=1)


def changed(policy: str) -> DurableWorkflow:
    """The same workflow with another image, after a pod was made for the old one."""
    return workflow({"spec.image": "example/app:2", "spec.updatePolicy.type": policy}, **LIVED)


def told(counts: ExecutionCounts | None) -> Report | None:
    if counts is None:
        return None
    return Report(
        name="report", namespace="team", workflow_uid=UID, pod_uid="uid-of-report-e2", epoch=2, position="2/9",
        runtime=RuntimeStatus(executions=counts),
    )  # fmt: skip


def planned(dwf: DurableWorkflow, counts: ExecutionCounts | None, settings: Settings = ON_CLUSTER, **how: Any) -> Plan:
    life = pod(BEFORE, 2, keeper=True, runtime=True, **how)
    return plan(dwf, observed(life, report=told(counts)), NOW, settings)


def up_to_date(made: Plan) -> tuple[str, str]:
    condition = made.status.condition("UpToDate")
    assert condition is not None
    return condition.status, condition.reason


def test_immediately_is_at_once_and_needs_no_report() -> None:
    made = planned(changed("Immediate"), None)
    assert deleted(made) == [("report-e2", None)]
    assert up_to_date(made) == ("False", "Rolling")


def test_without_a_policy_it_is_immediate_and_nothing_is_said_of_it() -> None:
    made = planned(workflow({"spec.image": "example/app:2"}, **LIVED), BUSY)
    assert kinds(made) == ["DeletePod"]
    assert made.status.condition("UpToDate") is None


@pytest.mark.parametrize("counts", [BUSY, None])
def test_on_idle_waits_while_something_runs_or_nobody_knows(counts: ExecutionCounts | None) -> None:
    made = planned(changed("OnIdle"), counts)
    assert kinds(made) == []
    assert (made.status.phase, up_to_date(made)) == ("Running", ("False", "WaitsUntilIdle"))
    assert made.status.is_true("Ready")


def test_on_idle_rolls_once_all_sleep_or_wait() -> None:
    assert deleted(planned(changed("OnIdle"), IDLE)) == [("report-e2", None)]


def test_where_nobody_reports_on_idle_is_immediate() -> None:
    assert kinds(planned(changed("OnIdle"), None, Settings())) == ["DeletePod"]


def test_manually_waits_for_the_pod_to_be_deleted() -> None:
    made = planned(changed("Manual"), IDLE)
    assert kinds(made) == []
    assert up_to_date(made) == ("False", "WaitsForYou")
    condition = made.status.condition("UpToDate")
    assert condition is not None
    assert condition.message == "delete pod report-e2 to replace it: updatePolicy.type is Manual"


@pytest.mark.parametrize("policy", ["OnIdle", "Manual"])
def test_a_pod_that_does_not_get_on_is_replaced_whatever_the_policy(policy: str) -> None:
    said = {"reason": "EntrypointFailed", "message": "no module"}
    stuck = seen(build_pod(BEFORE, store(), 2, first_claim=False), keeper=True, runtime_said=said)
    assert kinds(plan(changed(policy), observed(stuck), NOW, ON_CLUSTER)) == ["DeletePod"]


@pytest.mark.parametrize("policy", ["OnIdle", "Manual"])
def test_a_suspension_waits_for_nothing(policy: str) -> None:
    changes = {"spec.operatingMode": "Suspended", "spec.updatePolicy.type": policy}
    assert kinds(planned(workflow(changes, **LIVED), BUSY)) == ["DeletePod"]


def test_the_policy_alone_replaces_nothing() -> None:
    made = planned(workflow({"spec.updatePolicy.type": "Immediate"}, **LIVED), BUSY)
    assert kinds(made) == []
    assert up_to_date(made) == ("True", "UpToDate")
