"""Why does a running pod have to be replaced? Because the spec changed, or because it does not get on without it."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from dormouse_operator.api import DurableWorkflowStatus, ObjectStore
from dormouse_operator.plan.accepted import is_accepted
from dormouse_operator.plan.case import Case, Step
from dormouse_operator.plan.checking import STOPPED, Finding, finding
from dormouse_operator.plan.lives import NEEDS_HELP, Life
from dormouse_operator.plan.moments import in_seconds, is_ahead
from dormouse_operator.plan.naming import pod_name
from dormouse_operator.plan.pod import break_glass
from dormouse_operator.plan.reported import Verdict, doing
from dormouse_operator.plan.template_hash import template_hash

LONGEST_TURN_SECONDS = 600.0
"""A pod that does not get ready must not keep all others from following their specs."""
_ROLLING = frozenset({"Stopping", "Pending", "Starting"})


class Change(Struct, frozen=True):
    """How far a running pod is on its way to a changed spec."""

    stage: Literal["waits", "wants a turn", "is checked", "rolls"]
    verdict: Verdict
    check: Finding | None = None
    """Of the check that comes before."""


def change_of(case: Case, store: ObjectStore, life: Life) -> Change | None:
    """None when the pod follows the spec."""
    if life.template_hash == template_hash(case.dwf, store):
        return None
    found = finding(case, store)
    if found is not None and found.stage != "passed":
        return _before(case, life, found)
    if (why := _why_to_wait(case, life)) is not None:
        return Change("waits", why, found)
    if not case.observed.may_roll:
        return Change("wants a turn", _waits_for_others(case, life), found)
    return Change("rolls", ("False", "Rolling", f"pod {life.pod} is replaced by one with the newest spec"), found)


def _before(case: Case, life: Life, found: Finding) -> Change:
    """A check restores and pulls an image as well, so it has a turn like what comes after it."""
    if found.stage in ("diverged", "failed") or (found.stage == "runs" and found.verdict[1] in STOPPED):
        return Change("waits", found.verdict, found)
    if found.stage == "begins" and not case.observed.may_roll:
        is_new = found.verdict[1] not in STOPPED
        return Change("wants a turn", _waits_for_others(case, life) if is_new else found.verdict, found)
    return Change("is checked", found.verdict, found)


def _waits_for_others(case: Case, life: Life) -> Verdict:
    most = case.settings.max_concurrent_rolls
    told = f"pod {life.pod} waits for its turn: the operator replaces {most} at once (maxConcurrentRolls)"
    return "False", "WaitsForOthers", told


def why_to_replace(case: Case, life: Life) -> str:
    """Why a pod cannot stay whether or not its spec changed; empty when it may."""
    if not life.keeper_ready and _break_glass_changed(case, life):
        return f"pod {life.pod} ends because break-glass settings changed"
    if life.obstacle is not None and not life.node and (back := life.keeps_off - case.observed.lost_nodes):
        nodes = ", ".join(sorted(back))
        return f"pod {life.pod} finds no place and ends: it was made to keep off {nodes}, lost then and back now"
    worker = case.settings.worker_image
    if life.worker_image not in ("", worker) and _is_stuck(life):
        return f"pod {life.pod} does not get on with {life.worker_image} and ends: the next one has {worker}"
    return ""


def up_to_date(case: Case, created_epoch: int | None = None) -> Verdict:
    """Whether the newest pod follows the spec, and if not what it waits for."""
    life, store = case.newest, case.observed.store
    if store is None and (not is_accepted(case) or (life is not None and life.live)):
        return "Unknown", "StoreNotFound", "what a pod would be is not known without its ObjectStore"
    is_first = created_epoch is not None and case.last_epoch == 0
    found = None if store is None or is_first else finding(case, store)
    if found is not None and found.stage != "passed" and (created_epoch is not None or life is None or not life.live):
        return found.verdict
    if created_epoch is not None:
        return "True", "UpToDate", f"pod {pod_name(case.dwf.metadata.name, created_epoch)} has the newest spec"
    if life is None or not life.live or store is None:
        return "True", "UpToDate", "the next pod has the newest spec"
    if (change := change_of(case, store, life)) is None:
        return "True", "UpToDate", f"pod {life.pod} has the newest spec"
    return change.verdict


def rolling_since(case: Case, step: Step) -> str:
    """Since when it takes its turn: until its new pod is ready or somebody has to act. Empty without a bound."""
    if not case.settings.max_concurrent_rolls:
        return ""
    known = case.dwf.status.rolling_since
    if known and _seconds_left(known, case.now) <= 0:
        known = ""
    if known and is_ahead(known, case.now):
        known = in_seconds(case.now)
    if step.turn == "takes":
        return known or in_seconds(case.now)
    return known if step.phase in _ROLLING else ""


def until_turn_ends(status: DurableWorkflowStatus, now: datetime, wait_seconds: float | None) -> float | None:
    """After how many seconds to plan again, at the latest when its turn is over."""
    if not status.rolling_since:
        return wait_seconds
    left = max(1.0, _seconds_left(status.rolling_since, now))
    return left if wait_seconds is None else min(left, wait_seconds)


def _seconds_left(since: str, now: datetime) -> float:
    return (datetime.fromisoformat(since) + timedelta(seconds=LONGEST_TURN_SECONDS) - now).total_seconds()


def _why_to_wait(case: Case, life: Life) -> Verdict | None:
    """Only as long as the pod gets on; without reports, as with `dormouse dev`, nobody knows whether it is idle."""
    policy = case.dwf.spec.update_policy
    if policy is None or policy.type == "Immediate" or _is_stuck(life):
        return None
    if policy.type == "Manual":
        return "False", "WaitsForYou", f"delete pod {life.pod} to replace it: updatePolicy.type is Manual"
    executions = doing(case).executions
    if not case.settings.reports_url or (executions is not None and executions.running == 0):
        return None
    what = "has not said yet whether it is idle" if executions is None else f"runs {executions.running}"
    return "False", "WaitsUntilIdle", f"pod {life.pod} {what}: updatePolicy.type is OnIdle"


def _break_glass_changed(case: Case, life: Life) -> bool:
    return any(life.break_glass.get(name, "") != value for name, value in break_glass(case.dwf).items())


def _is_stuck(life: Life) -> bool:
    return not life.ready and (life.obstacle is not None or life.ending_in(NEEDS_HELP) is not None)
