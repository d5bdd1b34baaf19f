"""Which pods are looked for by name before anything is done that no pod may be beside of?"""

from __future__ import annotations

import pytest

from dormouse_operator.plan import (
    FINALIZER,
    Current,
    CurrentAbsent,
    CurrentMalformed,
    CurrentSeen,
    CurrentUnread,
    Settings,
    may_be_unseen,
    plan,
    rests_on_absence,
)
from unit.operator_plan.pods import LIVED, active, kinds, pod, sealed
from unit.operator_samples import NOW, observed, workflow

HELD = {"metadata.finalizers": [FINALIZER]}
ANOTHER = CurrentSeen(9, "Active", workflow_uid="another")


@pytest.mark.parametrize(
    ("epoch", "current", "asked_for"),
    [
        (2, CurrentUnread(), ("report-e2",)),
        (2, active(2), ("report-e2",)),
        (1, active(3), ("report-e1", "report-e3")),
        (3, active(2), ("report-e2", "report-e3")),
        (0, sealed(3, "Stopped"), ("report-e3",)),
        (0, CurrentAbsent(), ("report-e1",)),
        (2, ANOTHER, ("report-e2",)),
        (2, CurrentMalformed("x"), ("report-e2",)),
    ],
)
def test_what_the_status_and_current_say_is_asked_for(epoch: int, current: Current, asked_for: tuple[str, ...]) -> None:
    dwf = workflow(HELD, **{**LIVED, "epoch": epoch})
    assert may_be_unseen(dwf, current) == asked_for


def test_what_never_lived_is_not_asked_for() -> None:
    assert may_be_unseen(workflow(), CurrentUnread()) == ()


def test_a_pod_or_a_release_rests_on_absence_and_a_pod_that_runs_does_not() -> None:
    dwf = workflow(**LIVED)
    assert rests_on_absence(dwf, plan(dwf, (gone := observed(current=active(2))), NOW), gone)
    assert not rests_on_absence(dwf, plan(dwf, (runs := observed(pod(dwf, 2, keeper=True, runtime=True))), NOW), runs)
    assert not rests_on_absence(dwf, plan(dwf, (unread := observed()), NOW), unread)


def test_a_first_pod_rests_on_nothing_unless_there_is_a_status_or_a_finalizer() -> None:
    first, world = workflow(), observed()
    assert not rests_on_absence(first, plan(first, world, NOW), world)
    begun = workflow(phase="Pending")
    assert rests_on_absence(begun, plan(begun, world, NOW), world)
    wiped, absent = workflow(HELD), observed(current=CurrentAbsent())
    assert rests_on_absence(wiped, plan(wiped, absent, NOW), absent)


@pytest.mark.parametrize(("current", "rests"), [(CurrentAbsent(), True), (ANOTHER, False)])
def test_to_let_go_of_what_was_never_claimed_rests_on_absence(current: Current, *, rests: bool) -> None:
    dwf = workflow({**HELD, "metadata.deletionTimestamp": "2026-03-01T12:00:00Z"}, epoch=1)
    world = observed(current=current)
    planned = plan(dwf, world, NOW, Settings(on_cluster=True))
    assert "RemoveFinalizer" in kinds(planned)
    assert rests_on_absence(dwf, planned, world) is rests
