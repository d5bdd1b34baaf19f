"""Is the time that a workflow waits for its pod measured from where it begins, and only where all of it was seen?"""

from __future__ import annotations

from dormouse_operator.api import Condition, DurableWorkflowStatus, LastFailure
from dormouse_operator.controller.tally import Tally
from dormouse_operator.controller.waiting_times import WaitingTimes

KEY = ("team", "report")


class Told:
    """A workflow whose statuses are saved one after the other, each at its second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.tally = Tally()
        self.times = WaitingTimes(self.tally, lambda: self.now)
        self.status = DurableWorkflowStatus()

    def at(self, now: float, phase: str, epoch: int, *, failures: int = 0, ready: bool = False) -> None:
        failed = LastFailure(epoch=failures, reason="PodGone", message="", time="") if failures else None
        condition = Condition(
            type="Ready", status="True" if ready else "False", reason="Because", last_transition_time="", message=""
        )
        new = DurableWorkflowStatus(phase=phase, epoch=epoch, last_failure=failed, conditions=(condition,))
        self.now = now
        self.times.saved(KEY, self.status, new)
        self.status = new

    @property
    def waited(self) -> tuple[float, float]:
        return self.tally.restores.total_ns / 1e9, self.tally.failovers.total_ns / 1e9


def test_a_first_life_is_restored_and_takes_nobodys_place() -> None:
    told = Told()
    told.at(10, "Pending", 0)
    told.at(11, "Starting", 1)
    told.at(12, "Starting", 1)
    told.at(15, "Running", 1, ready=True)
    told.at(99, "Running", 1, ready=True)
    assert told.waited == (4, 0)


def test_a_failover_is_as_long_as_all_the_lives_that_failed_until_one_was_ready() -> None:
    told = Told()
    told.at(0, "Running", 1, ready=True)
    told.at(10, "Pending", 1, failures=1)
    told.at(12, "Starting", 2, failures=1)
    told.at(20, "Pending", 2, failures=2)
    told.at(24, "Starting", 3, failures=2)
    told.at(30, "Running", 3, failures=2, ready=True)
    assert told.waited == (6, 20)


def test_what_a_person_stopped_or_has_to_mend_is_not_measured() -> None:
    for phase in ("Suspended", "Stalled", "Completed"):
        told = Told()
        told.at(0, "Starting", 1, failures=1)
        told.at(5, phase, 1, failures=1)
        told.at(100, "Running", 1, failures=1, ready=True)
        assert told.waited == (0, 0), phase


def test_what_began_under_another_leader_is_not_measured() -> None:
    told = Told()
    told.at(0, "Starting", 1)
    told.times.forget_all()
    told.at(100, "Running", 1, ready=True)
    assert told.waited == (0, 0)


def test_a_workflow_that_is_gone_is_forgotten() -> None:
    told = Told()
    told.at(0, "Starting", 1)
    told.times.forget(KEY)
    told.at(100, "Running", 1, ready=True)
    assert told.waited == (0, 0)
