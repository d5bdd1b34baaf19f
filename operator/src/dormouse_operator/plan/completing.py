"""What is left to do for a workflow that has completed? Make sure that it has, and let it go after its time."""

from msgspec.structs import replace

from dormouse_operator.plan.actions import ReadCurrent
from dormouse_operator.plan.case import Case, Step, missing
from dormouse_operator.plan.expiring import with_expiry
from dormouse_operator.plan.observed import CurrentAbsent, CurrentUnread
from dormouse_operator.plan.progress import is_completing

_READ_AGAIN_SECONDS = 300.0


def completed(case: Case) -> Step:
    """The rest of its days."""
    return Step(phase="Completed", reason="Completed", message=_message(case))


def decide_completed(case: Case) -> Step | None:
    """Of a status that says so; None when CURRENT says otherwise, since a status can be edited by hand.

    The last pod's own word is enough as long as the pod is there, and its seal was seen. Else CURRENT is read once:
    until there is an answer the status is believed, and nothing is deleted.
    """
    step = completed(case)
    if _said_so_itself(case):
        return with_expiry(case, step)
    if isinstance(case.observed.current, CurrentUnread) and missing(case) is None:
        return replace(step, actions=(ReadCurrent(),), wait_seconds=_READ_AGAIN_SECONDS)
    return None if _is_disproved(case) else with_expiry(case, step)


def _said_so_itself(case: Case) -> bool:
    newest, seal = case.newest, case.dwf.status.last_seal
    is_sealed = seal is not None and (seal.epoch, seal.reason) == (case.last_epoch, "Completed")
    return is_sealed and newest is not None and newest.ended and is_completing(newest)


def _is_disproved(case: Case) -> bool:
    own = case.own_current
    if own is not None:
        return not own.is_completed
    return isinstance(case.observed.current, CurrentAbsent) and not case.dwf.status.claimed


def _message(case: Case) -> str:
    known = case.dwf.status.condition("Completed")
    if known is not None and known.status == "True":
        return known.message
    return "all executions are closed and sealed in the store"
