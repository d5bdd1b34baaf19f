"""Which stores may a pod be started with? Those that were seen to keep conditions on writes."""

from __future__ import annotations

from typing import Any

from dormouse_operator.plan import Plan, Settings, plan
from unit.operator_plan.pods import LIVED, active, created, kinds, pod, reason
from unit.operator_samples import NOW, observed, store, workflow


def condition(kind: str, status: str, message: str) -> list[dict[str, str]]:
    told = {"type": kind, "reason": "Tried", "message": message, "lastTransitionTime": "2026-03-01T12:00:00Z"}
    return [{**told, "status": status}] if status else []


def judged(status: str, *pods: dict[str, Any], on_cluster: bool = True, in_use: str = "True", **changes: Any) -> Plan:
    conditions = condition("ConditionalWrites", status, "2 of 32 won") + condition("InUse", in_use, "no Secret `local`")
    seen = observed(*pods, store=store({"status.conditions": conditions}), **changes)
    return plan(workflow(**(LIVED if changes else {})), seen, NOW, Settings(on_cluster=on_cluster))


def test_a_store_that_failed_the_probe_is_refused_with_the_reason() -> None:
    made = judged("False")
    assert (kinds(made), reason(made), made.status.phase) == ([], "StoreRefused", "Stalled")
    assert "2 of 32 won" in str(made.status.condition("Ready"))


def test_a_store_that_nobody_has_judged_yet_is_waited_for() -> None:
    for status in ("", "Unknown"):
        made = judged(status)
        assert (kinds(made), reason(made), made.status.phase) == ([], "StoreNotProven", "Pending")


def test_a_proven_store_is_used() -> None:
    assert created(judged("True"))["metadata"]["name"] == "report-e1"


def test_a_store_that_may_vanish_is_held_before_the_first_pod_and_not_waited_for_later() -> None:
    for in_use in ("", "False", "Unknown"):
        made = judged("True", in_use=in_use)
        assert (kinds(made), reason(made), made.status.phase) == ([], "StoreNotHeld", "Pending")
    assert "no Secret `local`" in str(judged("True", in_use="Unknown").status.condition("Ready"))
    assert created(judged("True", in_use="", current=active(2)))["metadata"]["name"] == "report-e3"


def test_a_store_that_is_being_deleted_takes_no_new_workflow_and_serves_those_that_it_has() -> None:
    deleted = store({"metadata.deletionTimestamp": "2026-03-01T12:00:00Z"})
    made = plan(workflow(), observed(store=deleted), NOW)
    assert (kinds(made), reason(made)) == ([], "StoreDeleted")
    went_on = plan(workflow(**LIVED), observed(store=deleted, current=active(2)), NOW)
    assert created(went_on)["metadata"]["name"] == "report-e3"


def test_without_anybody_who_probes_a_store_is_used_as_it_is() -> None:
    assert created(judged("", on_cluster=False))["metadata"]["name"] == "report-e1"


def test_a_pod_that_runs_is_left_alone_when_its_store_is_refused_later() -> None:
    dwf = workflow(**LIVED)
    made = judged("False", pod(dwf, 2, keeper=True, runtime=True), current=active(2))
    assert kinds(made) == []
