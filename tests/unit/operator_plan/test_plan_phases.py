"""Does the phase go forward only? What `kubectl get --watch` shows while nothing is wrong, or only the store is."""

from __future__ import annotations

from typing import Any

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan import CurrentUnread, Plan
from unit.operator_plan.pods import active, kinds, planned, pod, reason, sealed
from unit.operator_samples import with_status, workflow

DONE = {"reason": "Completed", "result": "succeeded", "position": "1/9"}
ENDED = {"terminated": {"exitCode": 0, "message": '{"reason": "Completed", "result": "succeeded"}'}}


def running() -> DurableWorkflow:
    """A workflow whose first pod is known to run."""
    dwf = workflow(epoch=1, claimed_at="2026-03-01T11:59:00Z")
    return with_status(dwf, planned(dwf, pod(dwf, keeper=True, runtime=True)).status)


def shown(made: Plan) -> tuple[str, str, bool]:
    return made.status.phase, reason(made), made.status.is_true("Ready")


def test_a_workflow_that_completes_is_running_until_it_is_completed() -> None:
    dwf, seen = running(), []
    runtime_ended = pod(dwf, keeper=True, runtime_said=DONE)
    keeper_seals = pod(dwf, runtime_said=DONE)
    over = pod(dwf, phase="Succeeded", runtime_said=DONE)
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (runtime_ended, {}),
        (keeper_seals, {}),
        (over, {"current": CurrentUnread()}),
        (over, {"current": sealed(1, "Completed")}),
    ]
    for each, changes in steps:
        made = planned(dwf, each, **changes)
        seen.append(shown(made))
        dwf = with_status(dwf, made.status)
    assert seen == [("Running", "Completing", False)] * 3 + [("Completed", "Completed", False)]


def test_a_completed_life_that_did_not_seal_is_followed_by_the_next() -> None:
    over = pod(running(), phase="Succeeded", runtime_said=DONE)
    assert "CreatePod" in kinds(planned(running(), over, current=active(1)))


def test_a_store_that_cannot_be_read_after_the_end_is_named() -> None:
    over = pod(running(), phase="Succeeded", runtime_said=DONE)
    made = planned(running(), over, current=CurrentUnread("no answer"))
    assert shown(made) == ("Pending", "StoreUnreachable", False)


def test_a_keeper_that_is_not_ready_any_more_does_not_restore_again() -> None:
    made = planned(running(), pod(running(), runtime=True))
    assert shown(made) == ("Running", "NotReplicating", False)
    assert made.status.is_true("Restored")
    replicating = made.status.condition("Replicating")
    assert replicating is not None
    assert (replicating.status, replicating.reason) == ("False", "NotReplicating")


def test_a_keeper_that_ended_says_how() -> None:
    killed = pod(running(), runtime=True)
    killed["status"]["initContainerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    made = planned(running(), killed)
    assert shown(made) == ("Running", "NotReplicating", False)
    assert "OOMKilled" in str(made.status.condition("Ready"))


def test_the_next_life_restores() -> None:
    dwf = with_status(running(), planned(running(), current=sealed(1, "Stopped")).status)
    made = planned(dwf, pod(dwf, 2))
    assert shown(made) == ("Starting", "Restoring", False)


def test_a_runtime_that_starts_again_is_starting() -> None:
    assert shown(planned(running(), pod(running(), keeper=True)))[:2] == ("Starting", "RuntimeNotReady")
