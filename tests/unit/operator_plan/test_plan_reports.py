"""What does the status say of a report, which report counts, and does any action rest on one?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse.keeper.report import (
    BlockedExecution,
    DrillResult,
    ExecutionCounts,
    RecoveryWindow,
    Replication,
    Report,
    RuntimeStatus,
)
from dormouse_operator.api import Condition, DurableWorkflow, Executions
from dormouse_operator.plan import EmitEvent, Plan, Settings, build_pod, plan
from unit.operator_plan.pods import LIVED, deleted, kinds, pod, sealed, seen
from unit.operator_samples import NOW, UID, observed, store, with_status, workflow

REPORTING = Settings(reports_url="http://operator:8082")
MESSAGE = "the log says fetch (pipeline.py:3), the code asks for store (pipeline.py:4)"
BLOCKED = BlockedExecution("main", "NonDeterministic", MESSAGE)
DOWN = Replication("StoreUnreachable", "commits wait for the store: no answer (since 2026-03-01T12:00:00Z)")
SLEEPS = RuntimeStatus(
    executions=ExecutionCounts(open=2, sleeping=2),
    waiting_for="main sleeps until 2026-03-01T13:00:00Z; 1 more open",
    next_wake_at="2026-03-01T13:00:00.000Z",
)
STUCK = RuntimeStatus(executions=ExecutionCounts(open=2, blocked=2), blocked=(BLOCKED,), waiting_for="main is blocked")


def report(runtime: RuntimeStatus | None = SLEEPS, epoch: int = 1, **changes: Any) -> Report:
    made: dict[str, Any] = {
        "name": "report",
        "namespace": "team",
        "workflow_uid": UID,
        "pod_uid": f"uid-of-report-e{epoch}",
        "epoch": epoch,
        "position": f"{epoch}/42",
        "runtime": runtime,
    }
    return Report(**{**made, **changes})


def running(dwf: DurableWorkflow, said: Report | None, *, keeper: bool = True, epoch: int = 1) -> Plan:
    life = pod(dwf, epoch, keeper=keeper, runtime=True)
    return plan(dwf, observed(life, report=said), NOW, REPORTING)


def after(dwf: DurableWorkflow, *reports: Report | None, **how: Any) -> DurableWorkflow:
    """The workflow once these were planned with, one after the other."""
    for said in reports:
        dwf = with_status(dwf, running(dwf, said, **how).status)
    return dwf


def condition(found: Plan | DurableWorkflow, name: str) -> tuple[str, str, str]:
    made: Condition | None = found.status.condition(name)
    assert made is not None
    return made.status, made.reason, made.message


def test_a_report_says_what_the_executions_do_and_wait_for() -> None:
    status = running(workflow(epoch=1), report()).status
    assert status.executions == Executions(open=2, sleeping=2)
    assert status.waiting_for == "main sleeps until 2026-03-01T13:00:00Z; 1 more open"
    assert (status.next_wake_at, status.position) == ("2026-03-01T13:00:00.000Z", "1/42")


def test_a_blocked_execution_makes_a_condition_with_its_reason_and_an_event() -> None:
    made = running(workflow(epoch=1), report(STUCK))
    told = f"execution main: {MESSAGE}\n1 more are blocked"
    assert condition(made, "Blocked") == ("True", "NonDeterministic", told)
    assert EmitEvent("Warning", "Blocked", told) in made.actions


def test_the_event_of_a_block_is_told_once() -> None:
    dwf = after(workflow(epoch=1), report(STUCK))
    assert not any(isinstance(action, EmitEvent) for action in running(dwf, report(STUCK)).actions)


def test_the_same_reason_in_other_words_is_no_other_event() -> None:
    first = running(workflow(epoch=1), report(STUCK))
    dwf = with_status(workflow(epoch=1), first.status)
    varied = RuntimeStatus(
        executions=STUCK.executions, blocked=(BlockedExecution("main", "NonDeterministic", "line 5"),)
    )
    made = running(dwf, report(varied))
    assert condition(made, "Blocked")[2] != condition(first, "Blocked")[2]
    assert not any(isinstance(action, EmitEvent) for action in made.actions)
    other = RuntimeStatus(executions=STUCK.executions, blocked=(BlockedExecution("main", "NotAwaited", "line 5"),))
    assert [action.reason for action in running(dwf, report(other)).actions if isinstance(action, EmitEvent)] == [
        "Blocked"
    ]


def test_nothing_blocked_is_told_too() -> None:
    assert condition(running(workflow(epoch=1), report()), "Blocked")[:2] == ("False", "NothingBlocked")


def test_before_a_report_nobody_knows_whether_something_is_blocked() -> None:
    assert condition(running(workflow(epoch=1), None), "Blocked")[:2] == ("Unknown", "NotReported")


def test_without_reports_there_is_no_such_condition() -> None:
    assert plan(workflow(), observed(), NOW).status.condition("Blocked") is None


@pytest.mark.parametrize(
    "stale", [report(STUCK, pod_uid="another"), report(STUCK, epoch=2), report(STUCK, 2, pod_uid="uid-of-report-e1")]
)
def test_a_report_of_another_life_does_not_count(stale: Report) -> None:
    status = running(workflow(epoch=1), stale).status
    assert status.executions is None
    assert status.position == ""


def test_a_report_of_a_pod_that_ends_does_not_count() -> None:
    dwf = workflow(epoch=1)
    made = plan(dwf, observed(pod(dwf, keeper=True, deleting=True), report=report(STUCK)), NOW, REPORTING)
    assert made.status.executions is None


def test_a_report_without_the_runtime_leaves_what_it_said_before() -> None:
    dwf = after(workflow(epoch=1), report(STUCK), report(None))
    assert dwf.status.executions == Executions(open=2, blocked=2)
    assert condition(dwf, "Blocked")[0] == "True"


def test_an_operator_that_has_just_started_leaves_what_the_status_says() -> None:
    dwf = after(workflow(epoch=1), report(STUCK))
    again = with_status(dwf, running(dwf, None).status)
    assert again.status == dwf.status


def test_the_next_life_has_to_say_it_anew() -> None:
    dwf = after(workflow(epoch=1), report(STUCK))
    made = plan(dwf, observed(current=sealed(1, "Stopped")), NOW, REPORTING)
    assert kinds(made) == ["ApplyConfigMap", "CreatePod"]
    assert (made.status.executions, made.status.waiting_for, made.status.next_wake_at) == (None, "", "")
    assert condition(made, "Blocked")[0] == "Unknown"


def test_a_completed_workflow_is_not_blocked_and_waits_for_nothing() -> None:
    dwf = after(workflow(epoch=1), report(STUCK))
    made = plan(dwf, observed(current=sealed(1, "Completed")), NOW, REPORTING)
    assert condition(made, "Blocked")[0] == "False"
    assert made.status.waiting_for == ""


# Why replication is not fresh.


def test_a_keeper_that_is_not_ready_says_why_and_ready_says_the_same() -> None:
    made = running(workflow(epoch=1), report(replication=DOWN), keeper=False)
    assert condition(made, "Replicating") == ("False", "StoreUnreachable", DOWN.message)
    assert condition(made, "Ready") == ("False", "StoreUnreachable", DOWN.message)


def test_what_kubernetes_says_of_the_keeper_counts_more_than_what_it_says_itself() -> None:
    assert condition(running(workflow(epoch=1), report(replication=DOWN)), "Replicating")[:2] == ("True", "Fresh")


def test_an_operator_that_has_just_started_leaves_why_replication_is_not_fresh() -> None:
    dwf = after(workflow(epoch=1), report(replication=DOWN), None, keeper=False)
    assert condition(dwf, "Replicating")[:2] == ("False", "StoreUnreachable")


def test_a_store_that_answers_again_is_no_reason_any_more() -> None:
    dwf = after(workflow(epoch=1), report(replication=DOWN), report(), keeper=False)
    assert condition(dwf, "Replicating")[:2] == ("False", "Restoring")


# What rests on it.

reports = st.builds(
    report,
    st.sampled_from([None, SLEEPS, STUCK]),
    st.integers(1, 3),
    replication=st.sampled_from([Replication(), DOWN, Replication("LagOverBound", "late")]),
)


@given(
    said=reports,
    epoch=st.integers(1, 3),
    keeper=st.booleans(),
    runtime=st.booleans(),
    phase=st.sampled_from(["Pending", "Running", "Failed", "Succeeded"]),
    mode=st.sampled_from(["Running", "Suspended"]),
)
def test_no_action_rests_on_a_report(
    said: Report, epoch: int, keeper: bool, runtime: bool, phase: str, mode: str
) -> None:
    dwf = workflow({"spec.operatingMode": mode}, epoch=epoch, claimed=True)
    life = pod(dwf, epoch, keeper=keeper, runtime=runtime, phase=phase)
    without, given_it = (plan(dwf, observed(life, report=each), NOW, REPORTING) for each in (None, said))
    assert kinds(given_it) == kinds(without)
    assert given_it.requeue_after_seconds == without.requeue_after_seconds
    assert (given_it.status.phase, given_it.status.epoch, given_it.status.failures) == (
        without.status.phase,
        without.status.epoch,
        without.status.failures,
    )


# The pod that reports.


def reporting_pod(url: str = "http://operator:8082") -> dict[str, Any]:
    return build_pod(workflow(), store(), 1, first_claim=True, settings=Settings(reports_url=url))


def test_the_keeper_alone_gets_a_token_that_is_good_for_reports_only() -> None:
    spec = reporting_pod()["spec"]
    (keeper,), (runtime,) = spec["initContainers"], spec["containers"]
    (volume,) = [each for each in spec["volumes"] if each["name"] == "report-token"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "dormouse.dev"
    assert 600 <= source["serviceAccountToken"]["expirationSeconds"] <= 3600
    mount = {"name": "report-token", "mountPath": "/var/run/dormouse", "readOnly": True}
    assert mount in keeper["volumeMounts"]
    assert {"name": "DORMOUSE_OPERATOR_URL", "value": "http://operator:8082"} in keeper["env"]
    assert "report-token" not in str(runtime)
    assert "OPERATOR_URL" not in str(runtime)
    assert spec["automountServiceAccountToken"] is False


def test_without_a_url_the_pod_has_neither_token_nor_url() -> None:
    made = str(build_pod(workflow(), store(), 1, first_claim=True))
    assert "report-token" not in made
    assert "OPERATOR_URL" not in made


def test_an_operator_that_moves_or_starts_to_listen_replaces_no_pod() -> None:
    told = Settings(reports_url="http://a:1")
    made = plan(workflow(**LIVED), observed(pod(workflow(), 2, keeper=True, runtime=True)), NOW, told)
    assert kinds(made) == []
    dwf = workflow(epoch=1)
    life = seen(reporting_pod("http://elsewhere:1"), keeper=True, runtime=True)
    assert deleted(plan(dwf, observed(life), NOW, REPORTING)) == []


def test_a_template_cannot_reach_the_token() -> None:
    mounts = [{"name": "report-token", "mountPath": "/token"}]
    template = {"spec": {"containers": [{"name": "runtime", "volumeMounts": mounts}]}}
    made = plan(workflow({"spec.template": template}), observed(), NOW, REPORTING)
    assert condition(made, "Stalled")[:2] == ("True", "InvalidTemplate")


def test_the_window_of_recovery_that_was_told_last_outlives_the_life_that_told_it() -> None:
    told = report(recovery_window=RecoveryWindow("2026-03-01T10:00:00.000Z", "2026-03-01T12:00:00.000Z"))
    dwf = after(workflow(epoch=1), told)
    window = dwf.status.recovery_window
    assert window is not None
    assert (window.begins, window.ends) == ("2026-03-01T10:00:00.000Z", "2026-03-01T12:00:00.000Z")
    assert after(dwf, None).status.recovery_window == window
    assert after(dwf, report()).status.recovery_window == window


def test_what_came_of_a_drill_is_a_condition_that_outlives_the_life_and_a_failure_is_an_event_once() -> None:
    dwf = workflow({"spec.drill": {"intervalSeconds": 3600}}, epoch=1)

    def told(ok: bool, message: str) -> Report:
        drill = DrillResult("2026-03-01T12:00:00Z", "1/42", ok, message)
        return report(RuntimeStatus(executions=ExecutionCounts(), drill=drill))

    assert condition(after(dwf, report()), "Drilled")[:2] == ("Unknown", "NotDrilledYet")
    assert "Drilled" not in {one.type for one in after(workflow(epoch=1), report()).status.conditions}
    well = after(dwf, told(True, "1/42 was restored"))
    assert condition(well, "Drilled") == ("True", "Drilled", "1/42 was restored")
    last = well.status.last_drill
    assert last is not None
    assert (last.time, last.position) == ("2026-03-01T12:00:00Z", "1/42")
    assert condition(after(well, report()), "Drilled")[:2] == ("True", "Drilled")
    assert after(well, report()).status.last_drill == last
    badly = running(well, told(False, "table note differs"))
    assert condition(badly, "Drilled") == ("False", "DrillFailed", "table note differs")
    assert EmitEvent("Warning", "DrillFailed", "table note differs") in badly.actions
    again = running(with_status(well, badly.status), told(False, "table note differs still"))
    assert not any(isinstance(one, EmitEvent) for one in again.actions)
