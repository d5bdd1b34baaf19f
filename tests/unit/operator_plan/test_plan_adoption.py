"""Does a new object of an old name start above what is there, and say whose data it goes on with?"""

from __future__ import annotations

from typing import Any

import pytest

from dormouse_operator.api import AdoptedFrom
from dormouse_operator.plan import CurrentAbsent, CurrentSeen, EmitEvent, Plan
from unit.operator_plan.pods import LIVED, created, deleted, environment, kinds, planned, pod, reason
from unit.operator_samples import UID, workflow

ADOPTS = {"spec.adoptionPolicy": "Released"}
LEFT = CurrentSeen(7, "Released", workflow_uid="before")
BEFORE = AdoptedFrom(uid="before", epoch=7)
ADOPTED = CurrentSeen(8, "Active", workflow_uid=UID, adopted_from=BEFORE)


def events(made: Plan, reason: str) -> list[str]:
    return [action.message for action in made.actions if isinstance(action, EmitEvent) and action.reason == reason]


@pytest.mark.parametrize("inherits", [ADOPTS, {"spec.storage.takeOverFrom": "before"}])
def test_who_may_inherit_looks_first_and_starts_above_what_is_there(inherits: dict[str, Any]) -> None:
    dwf = workflow(inherits)
    assert kinds(planned(dwf)) == ["ReadCurrent"]
    manifest = created(planned(dwf, current=LEFT))
    assert manifest["metadata"]["name"] == "report-e8"
    assert environment(manifest, "DORMOUSE_FIRST_CLAIM") == "true"


def test_who_may_inherit_and_finds_nothing_starts_at_one() -> None:
    assert created(planned(workflow(ADOPTS), current=CurrentAbsent()))["metadata"]["name"] == "report-e1"


def test_the_policy_is_given_to_a_pod_that_waits_for_it_and_replaces_no_other() -> None:
    refused = workflow(**LIVED)
    adopts = workflow(ADOPTS, **LIVED)
    assert deleted(planned(adopts, pod(refused, 2, keeper=True, runtime=True))) == []
    waiting = pod(refused, 2, keeper_said={"reason": "NameTaken", "message": "adoptionPolicy: Released, or ..."})
    stuck = planned(refused, waiting)
    assert (reason(stuck), deleted(stuck)) == ("NameTaken", [])
    assert "adoptionPolicy: Released" in str(stuck.status.condition("Stalled"))
    assert deleted(planned(adopts, waiting)) == [("report-e2", None)]


def test_an_adoption_that_current_shows_is_told_once_and_kept() -> None:
    dwf = workflow(ADOPTS, epoch=8, claimed=True)
    made = planned(dwf, current=ADOPTED)
    assert made.status.adopted_from == BEFORE
    assert events(made, "Adopted") == ["goes on with what workflow before left at epoch 7"]
    told = workflow(ADOPTS, epoch=8, claimed=True, adopted_from=BEFORE)
    again = planned(told, pod(told, 8, keeper=True))
    assert (again.status.adopted_from, events(again, "Adopted")) == (BEFORE, [])
