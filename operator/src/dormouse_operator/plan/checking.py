"""Do the open executions go on with the changed spec? A pod of its own replays them; what is to be done about it?

Everything follows from the pods that are there: one that ended says what it found, and which attempt it was. Without
one the check begins anew, so a person who deletes it asks again.
"""

from datetime import timedelta
from typing import Literal

from msgspec import Struct

from dormouse_operator.api import ObjectStore
from dormouse_operator.plan.accepted import is_accepted
from dormouse_operator.plan.actions import Action, ApplyConfigMap, CreateCheck, DeletePod
from dormouse_operator.plan.case import Case
from dormouse_operator.plan.check_pod import build_check, build_check_source
from dormouse_operator.plan.checks import Check
from dormouse_operator.plan.lives import Ending
from dormouse_operator.plan.obstacles import Obstacle
from dormouse_operator.plan.reported import Verdict
from dormouse_operator.plan.session import check_minting
from dormouse_operator.plan.template_hash import template_hash

STOPPED = frozenset({"ReplayDiverged", "ReplayCheckFailed"})
"""Somebody has to act, although the pod goes on."""
_FIRST_BACKOFF_SECONDS = 10
_LONGEST_BACKOFF_SECONDS = 300
_AT_ONCE_SECONDS = 1


class Finding(Struct, frozen=True):
    """How far a check is."""

    stage: Literal["passed", "diverged", "failed", "runs", "begins"]
    verdict: Verdict
    attempt: int = 1
    wait_seconds: float | None = None


def finding(case: Case, store: ObjectStore) -> Finding | None:
    """None where the spec as it is now needs no check."""
    if is_accepted(case):
        return None
    check = newest_check(case, store)
    if check is None or (check.deleting and not check.ended):
        refused = case.observed.refused_check or case.observed.check_session_error
        verdict = _failed(Ending("PodRefused", refused), case) if refused else _checking(case)
        return Finding("begins" if check is None else "runs", verdict)
    if check.passed:
        return Finding("passed", ("True", "Replayed", "" if check.ending is None else check.ending.message))
    if check.diverged and check.ending is not None:
        return Finding("diverged", ("False", "ReplayDiverged", f"{check.ending.message}\n{_way_out(case)}"))
    if not check.ended:
        told = _checking(case) if check.obstacle is None else _failed(check.obstacle, case, check.pod)
        return Finding("runs", told, check.attempt)
    due = check.ended_at + timedelta(seconds=backoff_seconds(check.attempt))
    verdict = _failed(check.ending or Ending("Error", "it said nothing"), case, check.pod)
    # The kubelet's clock said when it ended: if that is ahead of ours, it is looked at again after the pause.
    left = min(backoff_seconds(check.attempt), (due - case.now).total_seconds())
    if left > 0:
        return Finding("failed", verdict, check.attempt, wait_seconds=left)
    return Finding("begins", verdict, check.attempt + 1)


def newest_check(case: Case, store: ObjectStore) -> Check | None:
    """Of the spec as it is now."""
    digest = template_hash(case.dwf, store)
    return next((check for check in reversed(case.checks) if check.digest == digest), None)


def backoff_seconds(attempt: int) -> float:
    """After an attempt that could not run."""
    return float(min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** min(attempt - 1, 16)))


def begin(case: Case, store: ObjectStore, attempt: int) -> tuple[Action, ...]:
    """What makes the pod of this attempt. Raises InvalidManifest when none can follow the spec."""
    manifest = build_check(
        case.dwf,
        store,
        case.last_epoch,
        attempt,
        first_claim=not (case.dwf.status.claimed or case.own_current is not None),
        settings=case.settings,
        keep_off=case.observed.lost_nodes,
    )
    if (minting := check_minting(case)) is not None:
        return (minting,)
    source = build_check_source(case.dwf)
    return (*(() if source is None else (ApplyConfigMap(source),)), CreateCheck(manifest))


def superfluous(case: Case) -> tuple[Action, ...]:
    """Checks of which nobody wants to know the result any more."""
    wanted = None
    rests = case.dwf.spec.operating_mode == "Suspended" or case.dwf.status.is_true("Completed")
    if not (case.dwf.metadata.deletion_timestamp or rests or is_accepted(case)):
        store = case.observed.store
        if store is None:
            return ()
        wanted = newest_check(case, store)
    return tuple(
        DeletePod(check.pod, check.uid, None if check.ended else _AT_ONCE_SECONDS)
        for check in case.checks
        if check != wanted and not check.deleting
    )


def _checking(case: Case) -> Verdict:
    """One that is tried again is still one that failed: what it says must not come and go."""
    known = case.dwf.status.condition("UpToDate")
    generation = case.dwf.metadata.generation
    if known is not None and known.reason == "ReplayCheckFailed" and known.observed_generation == generation:
        return known.status, known.reason, known.message
    return "False", "ReplayChecking", "the open executions are replayed with the changed spec before a pod has it"


def _failed(why: Ending | Obstacle, case: Case, pod: str = "") -> Verdict:
    said = ": ".join(filter(None, (why.reason, why.message)))
    where = f"in pod {pod} " if pod else ""
    told = f"the replay check of the changed spec could not run {where}and is tried again: {said}. {_way_out(case)}"
    return "False", "ReplayCheckFailed", told


def _way_out(case: Case) -> str:
    life = case.newest
    stays = f"Pod {life.pod} stays as it is" if life is not None and life.live else "No pod has this spec"
    return f"{stays}; change the spec again, or set updatePolicy.replayCheck to false to have it without a check"
