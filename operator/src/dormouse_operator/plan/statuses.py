"""What does the status say after a step, and which of its changes are worth an event?"""

from msgspec.structs import asdict, replace

from dormouse_operator.api import Condition, DurableWorkflowStatus, LastFailure, LastSeal
from dormouse_operator.api.metadata import ConditionStatus
from dormouse_operator.plan.accepted import encoded, is_accepted, is_checked, is_too_large
from dormouse_operator.plan.actions import CreatePod, DeletePod, EmitEvent
from dormouse_operator.plan.case import Case, Step
from dormouse_operator.plan.checking import STOPPED, finding
from dormouse_operator.plan.draining import DRAINING, draining
from dormouse_operator.plan.moments import in_milliseconds, in_seconds, is_ahead
from dormouse_operator.plan.naming import pod_name
from dormouse_operator.plan.origins import origin, restoration
from dormouse_operator.plan.reported import (
    Verdict,
    blocked,
    doing,
    drilled,
    last_drill,
    recovery_window,
    replication_trouble,
    report_of_newest_life,
)
from dormouse_operator.plan.rolling import rolling_since, up_to_date
from dormouse_operator.plan.template_hash import template_hash

_MOVING = ("Pending", "Starting", "Stopping", "Deleting")
_TO_RUN = ("Pending", "Starting", "Running")
_LONGEST_MESSAGE = 32768
_OURS = frozenset(
    {
        "Ready",
        "Reconciling",
        "Stalled",
        "Completed",
        "Restored",
        "Replicating",
        "Blocked",
        "Drilled",
        "UpToDate",
        DRAINING,
    }
)


def next_status(case: Case, step: Step) -> DurableWorkflowStatus:
    """The whole status; everything that nothing new is known about stays as it was."""
    old, newest, own = case.dwf.status, case.newest, case.own_current
    epoch = step.created_epoch or case.last_epoch
    ready = newest is not None and newest.live and newest.ready
    failures = 0 if ready or case.sealed else case.failures + (1 if step.failure is not None else 0)
    done = doing(case)
    is_new = step.created_epoch is not None
    created = next((action for action in step.actions if is_new and isinstance(action, CreatePod)), None)
    seal = old.last_seal
    if own is not None and own.state == "Sealed":
        seal = LastSeal(epoch=own.epoch, reason=own.seal_reason or "", next_wake_at=own.next_wake_at or "")
    return replace(
        old,
        observed_generation=case.dwf.metadata.generation,
        phase=step.phase,
        epoch=epoch,
        pod_name=pod_name(case.dwf.metadata.name, epoch) if epoch else "",
        claimed=old.claimed or own is not None or any(life.keeper_ready for life in case.lives),
        position=_position(case) or old.position,
        recovery_window=recovery_window(case),
        last_drill=last_drill(case),
        executions=done.executions,
        waiting_for=done.waiting_for,
        next_wake_at=done.next_wake_at,
        last_seal=seal,
        failures=failures,
        last_failure=step.failure or _last_failure(case, step),
        accepted_spec=_accepted_spec(case, step),
        rolling_since=rolling_since(case, step),
        conditions=_conditions(case, step, epoch),
        **asdict(origin(case, epoch, created)),
    )


def _last_failure(case: Case, step: Step) -> LastFailure | None:
    known = case.dwf.status.last_failure
    if known is None or step.reason != "Backoff" or not is_ahead(known.time, case.now):
        return known
    return replace(known, time=in_milliseconds(case.now))


def _accepted_spec(case: Case, step: Step) -> str:
    """The first spec is accepted, one that a pod has already, and one whose check has passed."""
    if not is_checked(case):
        return ""
    if is_accepted(case) or is_too_large(case):
        return case.dwf.status.accepted_spec
    store, life = case.observed.store, case.newest
    if store is None:
        return case.dwf.status.accepted_spec
    found = finding(case, store)
    has_it = life is not None and life.live and life.template_hash == template_hash(case.dwf, store)
    is_first = step.created_epoch is not None and case.last_epoch == 0
    is_passed = found is not None and found.stage == "passed"
    return encoded(case.dwf.spec) if has_it or is_first or is_passed else case.dwf.status.accepted_spec


def events(old: DurableWorkflowStatus, new: DurableWorkflowStatus, step: Step) -> tuple[EmitEvent, ...]:
    """One for each thing that a person would want to find in `kubectl describe`."""
    told: list[EmitEvent] = []
    if any(isinstance(action, CreatePod) for action in step.actions):
        told.append(EmitEvent("Normal", "PodCreated", f"pod {new.pod_name} lives in epoch {new.epoch}"))
    if step.phase == "Stopping" and any(isinstance(action, DeletePod) for action in step.actions):
        told.append(EmitEvent("Warning" if step.failure else "Normal", step.reason, step.message))
    elif (failed := step.failure) is not None:
        told.append(EmitEvent("Warning", failed.reason, f"epoch {failed.epoch}: {failed.message}"))
    if (former := new.adopted_from) is not None and former != old.adopted_from:
        told.append(
            EmitEvent("Normal", "Adopted", f"goes on with what workflow {former.uid} left at epoch {former.epoch}")
        )
    stalled, before = new.condition("Stalled"), old.condition("Stalled")
    if stalled is not None and _is_news(stalled, before):
        told.append(EmitEvent("Warning", stalled.reason, stalled.message))
    hindered, before = new.condition("Blocked"), old.condition("Blocked")
    if hindered is not None and _is_news(hindered, before):
        told.append(EmitEvent("Warning", "Blocked", hindered.message))
    leaving, before = new.condition(DRAINING), old.condition(DRAINING)
    if leaving is not None and _is_news(leaving, before):
        told.append(EmitEvent("Normal", leaving.reason, leaving.message))
    drill, before = new.condition("Drilled"), old.condition("Drilled")
    if drill is not None and drill.reason == "DrillFailed" and (before is None or before.reason != "DrillFailed"):
        told.append(EmitEvent("Warning", "DrillFailed", drill.message))
    if new.is_true("Completed") and not old.is_true("Completed"):
        told.append(EmitEvent("Normal", "Completed", step.message))
    return tuple(told)


def _is_news(found: Condition, before: Condition | None) -> bool:
    """The same reason in other words is none: a message may be another one each time."""
    known = None if before is None else (before.status, before.reason)
    return found.status == "True" and (found.status, found.reason) != known


def _position(case: Case) -> str:
    """A hint from the newest termination message: what decides is CURRENT."""
    for ending in case.newest.endings if case.newest is not None else ():
        position = ending.said.get("position")
        if isinstance(position, str):
            return position
    report = report_of_newest_life(case)
    return report.position if report is not None else ""


def _conditions(case: Case, step: Step, epoch: int) -> tuple[Condition, ...]:
    computed: tuple[tuple[str, Verdict], ...] = (
        ("Ready", _ready(case, step)),
        ("Reconciling", _reconciling(case, step)),
        ("Stalled", _stalled(case, step)),
        ("Completed", _completed(case, step)),
        ("Restored", _restored(case, step, epoch)),
        ("Replicating", _replicating(case, step)),
    )
    if case.settings.reports_url:
        computed = (*computed, ("Blocked", blocked(case, step)))
        if case.dwf.spec.drill is not None:
            computed = (*computed, ("Drilled", drilled(case)))
    if case.dwf.spec.update_policy is not None or case.settings.max_concurrent_rolls:
        computed = (*computed, ("UpToDate", up_to_date(case, step.created_epoch)))
    if (leaving := draining(case, step)) is not None:
        computed = (*computed, (DRAINING, leaving))
    # What this operator does not know, a newer one said.
    others = (known for known in case.dwf.status.conditions if known.type not in _OURS)
    return (*(_condition(case, name, *verdict) for name, verdict in computed), *others)


def _ready(case: Case, step: Step) -> Verdict:
    if (
        step.reason in ("Restoring", "NotReplicating", "Completing")
        and (trouble := replication_trouble(case)) is not None
    ):
        return trouble
    return ("True" if step.reason == "Running" else "False", step.reason, step.message)


def _reconciling(case: Case, step: Step) -> Verdict:
    moving = step.phase in _MOVING or step.reason == "Completing"
    if not moving and step.turn and (verdict := up_to_date(case))[1] not in STOPPED:
        return "True", *verdict[1:]
    return ("True", step.reason, step.message) if moving else ("False", step.phase, "nothing to do")


def _stalled(case: Case, step: Step) -> Verdict:
    if step.phase == "Stalled":
        return "True", step.reason, step.message
    if step.phase in _TO_RUN and (verdict := up_to_date(case, step.created_epoch))[1] in STOPPED:
        return "True", *verdict[1:]
    return "False", step.phase, "nothing stands in the way"


def _completed(case: Case, step: Step) -> Verdict:
    if step.phase != "Completed":
        return "False", step.phase, "executions may still run or be started"
    known = case.dwf.status.condition("Completed")
    if known is not None and known.status == "True":
        return "True", known.reason, known.message
    ending = case.newest.runtime_ending if case.newest is not None else None
    result = ending.said.get("result") if ending is not None else None
    reason = {"succeeded": "Succeeded", "failed": "Failed"}.get(str(result), "Completed")
    return "True", reason, step.message


def _restored(case: Case, step: Step, epoch: int) -> Verdict:
    life, status = case.newest, case.dwf.status
    if life is not None and life.live and life.epoch == epoch and life.keeper_ready:
        return "True", "Restored", restoration(case, epoch)
    known = status.condition("Restored")
    if known is not None and known.status == "True" and status.epoch == epoch:
        return "True", known.reason, known.message
    if epoch == 0:
        return "Unknown", "NeverStarted", "there was no pod yet"
    return "False", step.reason, step.message


def _replicating(case: Case, step: Step) -> Verdict:
    life = case.newest
    if life is not None and life.live and life.keeper_ready:
        return "True", "Fresh", "the keeper is ready: replication is fresh and the epoch is current"
    if (trouble := replication_trouble(case)) is not None:
        return trouble
    return "False", step.reason, step.message


def _condition(case: Case, name: str, status: ConditionStatus, reason: str, message: str) -> Condition:
    known = case.dwf.status.condition(name)
    since = None if known is None or known.status != status else known.last_transition_time
    if since is not None and name == DRAINING and is_ahead(since, case.now):
        since = None
    return Condition(
        type=name,
        status=status,
        reason=reason,
        message=message[:_LONGEST_MESSAGE],
        last_transition_time=since or in_seconds(case.now),
        observed_generation=case.dwf.metadata.generation,
    )
