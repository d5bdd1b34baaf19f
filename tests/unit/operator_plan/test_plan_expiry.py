"""How long does a workflow stay that has completed?"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import DeleteWorkflow, EmitEvent, Plan, Settings, plan
from unit.operator_plan.pods import LIVED, kinds, pod, sealed
from unit.operator_samples import NOW, observed, with_status, workflow

ON_CLUSTER = Settings(on_cluster=True)


def completed(ttl: int | None) -> DurableWorkflow:
    """Completed at NOW."""
    changes = {} if ttl is None else {"spec.ttlSecondsAfterFinished": ttl}
    dwf = workflow(changes, **{**LIVED, "epoch": 3})
    made = plan(dwf, observed(current=sealed(3, "Completed")), NOW)
    assert kinds(made) == []
    return with_status(dwf, made.status)


def seen_at(dwf: DurableWorkflow, now: datetime, settings: Settings = ON_CLUSTER) -> Plan:
    over = pod(dwf, 3, phase="Succeeded", runtime_said={"reason": "Completed"})
    return plan(dwf, observed(over), now, settings)


@pytest.mark.parametrize("ttl", [0, 60])
def test_it_is_deleted_once_its_time_is_over(ttl: int) -> None:
    made = seen_at(completed(ttl), NOW + timedelta(seconds=ttl))
    assert kinds(made) == ["DeleteWorkflow"]
    (event,) = [action for action in made.actions if isinstance(action, EmitEvent)]
    assert event.reason == "Expired"
    assert f"more than {ttl} s (ttlSecondsAfterFinished) ago" in event.message


def test_until_then_it_stays_and_is_looked_at_again() -> None:
    made = seen_at(completed(60), NOW + timedelta(seconds=45))
    assert made.actions == ()
    assert made.requeue_after_seconds == pytest.approx(15)


def test_without_the_field_it_stays_for_good() -> None:
    made = seen_at(completed(None), NOW + timedelta(days=4000))
    assert (made.actions, made.requeue_after_seconds) == ((), None)


def test_with_a_clock_that_was_set_back_it_stays_and_is_looked_at_again_after_its_time() -> None:
    made = seen_at(completed(60), NOW - timedelta(days=1))
    assert (made.actions, made.requeue_after_seconds) == ((), 60)
    condition = made.status.condition("Completed")
    assert condition is not None
    assert condition.last_transition_time == "2026-03-01T12:00:00Z", "once the clock is right it counts as before"


def test_one_that_is_being_deleted_is_not_deleted_again() -> None:
    leaving = completed(60)
    metadata = {"metadata.deletionTimestamp": "2026-03-01T12:00:00Z", "spec.ttlSecondsAfterFinished": 60}
    gone = with_status(workflow(metadata, **{**LIVED, "epoch": 3}), leaving.status)
    assert DeleteWorkflow() not in seen_at(gone, NOW + timedelta(days=1)).actions


def test_with_dormouse_dev_nothing_expires() -> None:
    made = seen_at(completed(0), NOW + timedelta(days=1), Settings())
    assert made.actions == ()
