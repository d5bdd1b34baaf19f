"""What is left to do for a workflow that has completed? Make sure that it has, and let it go after its time."""

from msgspec.structs import replace

from dormouse_operator.plan.actions import ReadCurrent
from dormouse_operator.plan.case import Case, Step, missing
from dormouse_operator.plan.expiring import with_expiry
from dormouse_operator.plan.observed import CurrentUnread
from dormouse_operator.plan.progress import is_completing

_READ_AGAIN_SECONDS = 300.0


def completed(case: Case) -> Step:
    """The rest of its days."""
    return Step(phase="Completed", reason="Completed", message=_message(case))


def decide_completed(case: Case) -> Step | None:
    """Of a status that says so; None when CURRENT says otherwise, since a status can be edited by hand.

    The last pod's own word is enough as long as the pod is there. Without it CURRENT is read once: until there is an
    answer the status is believed, and nothing is deleted.
    """
    step, newest = completed(case), case.newest
    if newest is not None and newest.epoch == case.last_epoch and newest.ended and is_completing(newest):
        return with_expiry(case, step)
    if isinstance(case.observed.current, CurrentUnread) and missing(case) is None:
        return replace(step, actions=(ReadCurrent(),), wait_seconds=_READ_AGAIN_SECONDS)
    own = case.own_current
    return None if own is not None and not own.is_completed else with_expiry(case, step)


def _message(case: Case) -> str:
    known = case.dwf.status.condition("Completed")
    if known is not None and known.status == "True":
        return known.message
    return "all executions are closed and sealed in the store"
