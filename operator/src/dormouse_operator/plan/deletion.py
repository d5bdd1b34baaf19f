"""What is left to do before an object may go? Its pod ends, its data is released or removed, then the finalizer."""

from msgspec.structs import replace

from dormouse_operator.api import Condition
from dormouse_operator.plan.actions import DeletePod, EmitEvent, LeaveStore, ReadCurrent, ReleaseData, RemoveFinalizer
from dormouse_operator.plan.case import READ_AGAIN_SECONDS, Case, Step, Trouble, missing, reading_current, stalled
from dormouse_operator.plan.naming import ABANDON_ANNOTATION, FINALIZER
from dormouse_operator.plan.observed import CurrentAbsent, CurrentMalformed, CurrentSeen, CurrentUnread

_LET_GO = frozenset({"DataReleased", "DataDeleted", "NothingToRelease"})
_WAY_OUT = f"or give the data up with the annotation {ABANDON_ANNOTATION}: true"


def decide_deletion(case: Case) -> Step:
    """Only once no pod can write is CURRENT touched; only once CURRENT says so may the object go."""
    if any(life.live for life in case.lives):
        actions = tuple(DeletePod(life.pod, life.uid) for life in case.lives if life.live and not life.deleting)
        return Step(phase="Deleting", reason="Deleting", message="its pod seals and ends", actions=actions)
    if FINALIZER not in case.dwf.metadata.finalizers:
        return Step(phase="Deleting", reason="Deleting", message="nothing is held any more")
    if case.dwf.metadata.annotations.get(ABANDON_ANNOTATION) == "true":
        return _let_go("DataAbandoned", "its data was given up; what the store holds of it is not touched", "Warning")
    if (said := _said_before(case)) is not None:
        return _let_go(said.reason, said.message)
    trouble = missing(case)
    if trouble is not None and trouble.reason != "StoreRefused":
        return stalled(Trouble(trouble.reason, f"{trouble.message}, {_WAY_OUT}"))
    return _with_store(case)


def _with_store(case: Case) -> Step:
    current = case.observed.current
    is_deleted = case.dwf.spec.deletion_policy == "Delete"
    if isinstance(current, CurrentUnread):
        reading = reading_current(case)
        return Step(
            phase="Deleting",
            reason=reading.reason,
            message=f"{reading.message}; wait for the store, {_WAY_OUT}" if current.error else reading.message,
            actions=reading.actions,
            wait_seconds=reading.wait_seconds,
        )
    if isinstance(current, CurrentMalformed):
        told = f"CURRENT cannot be understood: {current.error}; restore that object, {_WAY_OUT}"
        step = stalled(Trouble("CurrentMalformed", told))
        return replace(step, actions=(ReadCurrent(),), wait_seconds=READ_AGAIN_SECONDS)
    if isinstance(current, CurrentSeen) and current.workflow_uid != case.dwf.metadata.uid:
        return _let_go("NothingToRelease", f"the data of this name belongs to workflow {current.workflow_uid}")
    if isinstance(current, CurrentAbsent) and (not is_deleted or case.last_epoch == 0):
        return _let_go("NothingToRelease", "the store has no CURRENT")
    # Data that is half removed can only be removed.
    policy = case.dwf.spec.deletion_policy
    if isinstance(current, CurrentSeen) and current.state == "Deleting":
        policy = "Delete"
    if isinstance(current, CurrentSeen) and current.state == "Released" and not (is_deleted and current.has_data):
        if current.has_data:
            return _let_go("DataReleased", "its data stays in the store and may be adopted")
        return _let_go("DataDeleted", "its data was removed from the store")
    doing = "is removed from" if policy == "Delete" else "is released in"
    error = case.observed.release_error
    return Step(
        phase="Deleting",
        reason="StoreUnreachable" if error else "ReleasingData",
        message=f"{error}; wait for the store, {_WAY_OUT}" if error else f"its data {doing} the store",
        actions=(ReleaseData(policy, case.last_epoch),),
        wait_seconds=READ_AGAIN_SECONDS,
    )


def _let_go(reason: str, message: str, kind: str = "Normal") -> Step:
    event = EmitEvent("Warning" if kind == "Warning" else "Normal", reason, message)
    return Step(phase="Deleting", reason=reason, message=message, actions=(event, LeaveStore(), RemoveFinalizer()))


def _said_before(case: Case) -> Condition | None:
    """The status is written first: once it says that the object may go, the store may be gone already."""
    ready = case.dwf.status.condition("Ready")
    is_let_go = ready is not None and case.dwf.status.phase == "Deleting" and ready.reason in _LET_GO
    return ready if is_let_go else None
