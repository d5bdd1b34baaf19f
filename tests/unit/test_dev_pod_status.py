"""Does a pod's status say what Kubernetes would say?"""

from __future__ import annotations

import pytest

from dormouse_operator.dev.pod_status import (
    ContainerState,
    Running,
    Terminated,
    Waiting,
    phase,
    pod_status,
    terminated,
)

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
RUNNING = Running(NOW)
ENDED, FAILED = Terminated(0, NOW, NOW), Terminated(1, NOW, NOW)
CREATING = Waiting("ContainerCreating")
Now = Waiting | Running | Terminated


def states(sidecar: Now, main: Now, *, ready: bool = False, last: Terminated | None = None) -> list[ContainerState]:
    return [
        ContainerState("keeper", is_sidecar=True, now=sidecar, ready=ready),
        ContainerState("runtime", now=main, ready=ready, last=last),
    ]


@pytest.mark.parametrize(
    ("sidecar", "main", "expected"),
    [
        (CREATING, CREATING, "Pending"),
        (RUNNING, CREATING, "Pending"),
        (RUNNING, RUNNING, "Running"),
        (RUNNING, ENDED, "Succeeded"),
        (FAILED, ENDED, "Succeeded"),
        (ENDED, FAILED, "Failed"),
    ],
)
def test_the_mains_decide_the_phase(sidecar: Now, main: Now, expected: str) -> None:
    assert phase(states(sidecar, main)) == expected


def test_a_container_that_waits_for_its_next_start_leaves_the_pod_running() -> None:
    assert phase(states(RUNNING, Waiting("CrashLoopBackOff"), last=FAILED)) == "Running"


def test_ready_needs_all_containers_and_keeps_its_time() -> None:
    first = pod_status(states(RUNNING, RUNNING), {}, NOW)
    ready = pod_status(states(RUNNING, RUNNING, ready=True), first, LATER)
    again = pod_status(states(RUNNING, RUNNING, ready=True), ready, "2026-01-01T00:01:00Z")
    assert {each["type"]: each["status"] for each in first["conditions"]}["Ready"] == "False"
    assert {each["type"]: each["lastTransitionTime"] for each in again["conditions"]} == {
        "PodScheduled": NOW,
        "ContainersReady": LATER,
        "Ready": LATER,
    }
    assert again["startTime"] == NOW


def test_an_end_is_told_and_read_back() -> None:
    end = Terminated(137, NOW, LATER, message='{"reason": "Fenced"}')
    document = ContainerState("runtime", now=CREATING, last=end, restarts=2).document()
    assert document["lastState"]["terminated"]["reason"] == "Error"
    assert document["restartCount"] == 2
    read = terminated(document["lastState"])
    assert read is not None
    assert (read.exit_code, read.message, read.finished_at) == (137, '{"reason": "Fenced"}', LATER)
    assert terminated(document["state"]) is None
