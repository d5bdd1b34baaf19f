"""What is the next step: leave the pod, end it, read CURRENT, wait, or create the next epoch?"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from dormouse.replica.layout import LARGEST_EPOCH
from dormouse_operator.api import InvalidManifest, LastFailure, ObjectStore
from dormouse_operator.plan.accepted import check_size, with_accepted
from dormouse_operator.plan.actions import (
    Action,
    AddFinalizer,
    ApplyConfigMap,
    CreatePod,
    DeletePod,
    EmitEvent,
    MintSession,
    ReadCurrent,
)
from dormouse_operator.plan.case import (
    READ_AGAIN_SECONDS,
    Case,
    Phase,
    Step,
    Trouble,
    missing,
    reading_current,
    stalled,
)
from dormouse_operator.plan.checking import STOPPED, Finding, begin, finding, superfluous
from dormouse_operator.plan.completing import completed, decide_completed
from dormouse_operator.plan.deletion import decide_deletion
from dormouse_operator.plan.draining import why_to_leave, with_budget
from dormouse_operator.plan.lives import ENDED_FOR_GOOD, NEEDS_HELP, Life
from dormouse_operator.plan.moments import in_milliseconds
from dormouse_operator.plan.naming import FINALIZER, MANAGED_BY_LABEL
from dormouse_operator.plan.observed import CurrentSeen, CurrentUnread
from dormouse_operator.plan.origins import is_origin_known
from dormouse_operator.plan.pod import build_pod, build_source
from dormouse_operator.plan.progress import is_completing, progress, restoring
from dormouse_operator.plan.refusals import still_refused, was_refused, while_refused
from dormouse_operator.plan.rolling import Change, change_of, why_to_replace
from dormouse_operator.plan.session import first_minting, with_renewal

_AT_ONCE_SECONDS = 1
"""The grace of a pod that may write nothing any more; 0 would not wait for the kubelet's word."""
_LONGEST_BACKOFF_SECONDS = 300


def decide(case: Case) -> Step:
    """One step; the shell comes back with what it changed."""
    step = with_budget(case, _and(with_renewal(case, _decide(case)), superfluous(case)))
    return _looking_at_the_unwatched(case, _held_again(case, step))


def _held_again(case: Case, step: Step) -> Step:
    """Somebody took the finalizer away: without it a deletion would leave its data to a UID that nobody has."""
    is_doomed = bool(case.dwf.metadata.deletion_timestamp) or case.observed.namespace_ends
    is_held = FINALIZER in case.dwf.metadata.finalizers or not case.last_epoch
    if is_doomed or is_held or not case.settings.on_cluster or case.observed.refusal is not None:
        return step
    if any(isinstance(action, AddFinalizer) for action in step.actions):
        return step
    return replace(step, actions=(AddFinalizer(), *step.actions))


def _looking_at_the_unwatched(case: Case, step: Step) -> Step:
    """Nobody tells when a pod ends that lost its label."""
    if all(life.watched or not life.live for life in case.lives):
        return step
    return replace(step, wait_seconds=min(READ_AGAIN_SECONDS, step.wait_seconds or READ_AGAIN_SECONDS))


def _decide(case: Case) -> Step:
    # What is in a namespace that ends is deleted next, and so may be our rights: there is no time to lose.
    if case.dwf.metadata.deletion_timestamp or case.observed.namespace_ends:
        return decide_deletion(case)
    if case.dwf.status.is_true("Completed") and (step := decide_completed(case)) is not None:
        return _and(step, _sweep(tuple(life for life in case.lives if life.epoch < case.last_epoch)))
    newest = case.newest
    if newest is not None and newest.live:
        step = _with_pod(case, newest)
        return _and(step, _sweep(case.lives[:-1]))
    if any(life.live for life in case.lives):
        waiting = Step(phase="Stopping", reason="OlderPodAlive", message="an older pod has to end first")
        return _and(waiting, _sweep(case.lives))
    return _without_pod(case)


def _with_pod(case: Case, life: Life) -> Step:
    """The newest epoch has a pod that may still write."""
    if life.deleting:
        return Step(phase="Stopping", reason="PodStopping", message=f"pod {life.pod} seals and ends")
    if not life.watched:
        told = f"pod {life.pod} lost the label {MANAGED_BY_LABEL}, by which it is watched: it seals and ends"
        return _delete(life, "PodEdited", told)
    if case.dwf.spec.operating_mode == "Suspended":
        return _delete(life, "Suspending", f"pod {life.pod} seals and ends because operatingMode is Suspended")
    if (ending := life.ending_in(ENDED_FOR_GOOD)) is not None:
        told = ending.message or f"pod {life.pod} ended with {ending.reason}"
        step = _delete(life, ending.reason, told, grace_seconds=_AT_ONCE_SECONDS)
        return _failing(step, case, life.epoch, Trouble(ending.reason, told))
    store = case.observed.store
    trouble = missing(case)
    if trouble is not None or store is None:
        return stalled(trouble)
    change = change_of(case, store, life)
    try:
        check_size(case)
        if change is not None and change.stage != "waits":
            build_pod(case.dwf, store, life.epoch + 1, first_claim=False, settings=case.settings)
    except InvalidManifest as error:  # the pod that runs is better than none
        return stalled(Trouble("InvalidTemplate", str(error)))
    if change is not None and change.stage == "rolls":
        told = f"pod {life.pod} seals and ends because the spec changed"
        return replace(_and(_delete(life, "Rolling", told), _telling(change.check)), turn="takes")
    if why := why_to_replace(case, life):
        return _delete(life, "Rolling", why)
    if why := why_to_leave(case, life):
        return _delete(life, "Draining", why)
    if (ending := life.ending_in(NEEDS_HELP)) is not None:
        step = stalled(Trouble(ending.reason, ending.message or f"pod {life.pod} says {ending.reason}"))
    else:
        step = _asking_for_its_origin(case, life, progress(case, life))
    return step if change is None else _following(case, store, step, change)


def _following(case: Case, store: ObjectStore, step: Step, change: Change) -> Step:
    """The step of a pod that stays for now, and what is done meanwhile about the spec that it does not follow."""
    step = _and(step, _telling(change.check))
    if change.stage == "wants a turn":
        return replace(step, turn="wants")
    if change.stage == "is checked":
        step = replace(step, turn="takes")
    return step if change.check is None else _with_check(case, store, step, change.check)


def _with_check(case: Case, store: ObjectStore, step: Step, found: Finding) -> Step:
    seconds = found.wait_seconds
    if found.stage == "begins":
        actions = begin(case, store, found.attempt)
        step = _and(step, actions)
        seconds = READ_AGAIN_SECONDS if any(isinstance(action, MintSession) for action in actions) else None
    return step if seconds is None else replace(step, wait_seconds=min(seconds, step.wait_seconds or seconds))


def _telling(found: Finding | None) -> tuple[Action, ...]:
    """That a check passed is said once: then its spec is accepted."""
    if found is None or found.stage != "passed":
        return ()
    return (EmitEvent("Normal", "Replayed", found.verdict[2]),)


def _asking_for_its_origin(case: Case, life: Life, step: Step) -> Step:
    """Once for each life: CURRENT says from where it was restored, and whose data that was."""
    current = case.observed.current
    if is_origin_known(case, life) or not life.keeper_ready or not isinstance(current, CurrentUnread):
        return step
    return replace(_and(step, (ReadCurrent(is_for_status=True),)), wait_seconds=READ_AGAIN_SECONDS)


def _without_pod(case: Case) -> Step:
    """Nothing of ours can write: rest, find out how the last life ended, wait, or create the next."""
    own = case.own_current
    if own is not None and own.is_completed:
        return completed(case)
    unread = isinstance(case.observed.current, CurrentUnread)
    suspended = case.dwf.spec.operating_mode == "Suspended"
    trouble = missing(case)
    if (
        trouble is None
        and unread
        and (case.last_epoch or case.forgot_its_lives or _may_inherit(case))
        and (not suspended or is_completing(case.newest))
    ):
        return _how_it_ended(case)
    if suspended:
        resting = Step(phase="Suspended", reason="Suspended", message="set operatingMode to Running to go on")
        return _and(resting, _sweep(case.lives[:-1]))
    if trouble is not None:
        return stalled(trouble)
    refused = was_refused(case)
    failure = None if refused else _failure_of_last_life(case)
    if (seconds := backoff_seconds(case, failure)) > 0:
        last = failure or case.dwf.status.last_failure
        told = f"epoch {last.epoch} ended with {last.reason}" if last is not None else "the last life failed"
        return Step(
            phase="Pending",
            reason="Backoff",
            message=f"{told}; the next one starts after a pause",
            wait_seconds=seconds,
            failure=failure,
        )
    if case.settings.on_cluster and (early := _unproven(case) or _not_held(case)) is not None:
        return Step(phase="Pending", reason=early.reason, message=early.message, failure=failure)
    if (minting := first_minting(case)) is not None:
        return replace(minting, failure=failure)
    if refused:
        return while_refused(case, _create(case, failure, case.last_epoch - 1))
    return _create(case, failure, case.last_epoch)


def _how_it_ended(case: Case) -> Step:
    """For a person, what is closed runs until it is known to be completed, and what was refused still is."""
    reading = reading_current(case)
    if reading.reason == "ReadingCurrent" and is_completing(case.newest):
        return replace(reading, phase="Running", reason="Completing")
    return still_refused(case, reading) if was_refused(case) else reading


def _create(case: Case, failure: LastFailure | None, lived: int) -> Step:
    """`lived` is the newest epoch that may have been."""
    store = case.observed.store
    if store is None:
        return stalled(missing(case))
    status = case.dwf.status
    # Where nothing has run yet, nothing has to go on.
    found = finding(case, store) if case.last_epoch else None
    dwf = case.dwf
    if found is not None and found.stage != "passed":
        if (kept := with_accepted(case)) is None:
            return _checked_first(case, store, found, failure)
        dwf = kept
    epoch = _next_epoch(case, lived)
    if epoch > LARGEST_EPOCH:
        return stalled(Trouble("InvalidManifest", _beyond_all_epochs(epoch)))
    first = not (status.claimed or case.own_current is not None or case.forgot_its_lives)
    reason = "Restart" if case.last_epoch else "Start"
    try:
        check_size(case)
        manifest = build_pod(
            dwf,
            store,
            epoch,
            first_claim=first,
            wake_reason=reason,
            settings=case.settings,
            keep_off=case.observed.lost_nodes,
        )
    except InvalidManifest as error:
        return stalled(Trouble("InvalidTemplate", str(error)))
    source = build_source(dwf)
    actions: tuple[Action, ...] = () if source is None else (ApplyConfigMap(source),)
    if case.settings.on_cluster and FINALIZER not in case.dwf.metadata.finalizers:
        actions = (AddFinalizer(), *actions)
    return Step(
        phase="Starting",
        reason="Restoring",
        message=restoring(manifest["metadata"]["name"]),
        actions=(*actions, CreatePod(manifest), *_sweep(case.lives), *_telling(found)),
        failure=failure,
        created_epoch=epoch,
    )


def _checked_first(case: Case, store: ObjectStore, found: Finding, failure: LastFailure | None) -> Step:
    """What ran before is not known, so there is no pod before the check has passed."""
    _, reason, message = found.verdict
    phase: Phase = "Stalled" if reason in STOPPED else "Pending"
    try:
        return _with_check(case, store, Step(phase=phase, reason=reason, message=message, failure=failure), found)
    except InvalidManifest as error:
        return stalled(Trouble("InvalidTemplate", str(error)))


def _beyond_all_epochs(epoch: int) -> str:
    """No life ever comes that far: a second each would take three years."""
    return (
        f"status.epoch: the next epoch would be {epoch}, and {LARGEST_EPOCH} is the last: somebody edited the status "
        "or CURRENT in the store; correct it by `kubectl edit --subresource=status` to the newest epoch in the store"
    )


def _next_epoch(case: Case, lived: int) -> int:
    current = case.observed.current
    refused = [ending.seen_epoch for life in case.lives for ending in life.endings]
    return next_epoch(lived, current.epoch if isinstance(current, CurrentSeen) else 0, refused)


def next_epoch(asked_for: int, in_store: int, refused: Iterable[int]) -> int:
    """Above everything that was ever seen: by us, in CURRENT, or by a keeper that was refused."""
    return max(asked_for, in_store, *refused) + 1


def _unproven(case: Case) -> Trouble | None:
    """A store that was never seen to keep conditions on writes."""
    store = case.observed.store
    proven = None if store is None else store.status.condition("ConditionalWrites")
    if store is None or (proven is not None and proven.status == "True"):
        return None
    said = "its conditional writes are tried out first" if proven is None else proven.message
    return Trouble("StoreNotProven", f"ObjectStore `{store.metadata.name}`: {said}")


def _not_held(case: Case) -> Trouble | None:
    """Before the first pod: a store that may vanish before the data in it is released."""
    store = case.observed.store
    if store is None or case.last_epoch:
        return None
    in_use = store.status.condition("InUse")
    if in_use is not None and in_use.status == "True":
        return None
    said = "it and its Secret are kept from being deleted first"
    if in_use is not None and in_use.status == "Unknown":
        said = in_use.message
    return Trouble("StoreNotHeld", f"ObjectStore `{store.metadata.name}`: {said}")


_TAKEN_AWAY = frozenset({"PodGone", "NodeLost"})


def backoff_seconds(case: Case, failure: LastFailure | None) -> float:
    """The first replacement is at once; then 1, 2, 4 ... 300 seconds after the failure.

    A pod that was taken away did nothing wrong, and waiting longer would not bring its node back: a second at most,
    so that something that removes every pod at once does not make a hot loop.
    """
    status = case.dwf.status
    count = case.failures + (1 if failure is not None else 0)
    last = failure or status.last_failure
    if count <= 1 or last is None or case.sealed:
        return 0.0
    longest = 1 if last.reason in _TAKEN_AWAY else _LONGEST_BACKOFF_SECONDS
    pause = float(min(longest, 2 ** min(count - 2, 16)))
    until = datetime.fromisoformat(last.time) + timedelta(seconds=pause)
    # After a clock was set back the pause begins anew, as the status says then.
    return min(pause, max(0.0, (until - case.now).total_seconds()))


def _failure_of_last_life(case: Case) -> LastFailure | None:
    """How the newest epoch ended, unless it sealed or was recorded as failed before.

    One that was evicted is told even if it sealed: it comes again until somebody changes something.
    """
    last = case.last_epoch
    life = case.newest
    evicted = life is not None and life.epoch == last and life.evicted
    if last == 0 or (case.sealed and not evicted):
        return None
    if life is None or life.epoch != last:
        trouble = Trouble("PodGone", f"the pod of epoch {last} is gone and left no seal")
    elif life.lost:
        trouble = Trouble("NodeLost", f"the node of pod {life.pod} is lost")
    elif life.failed:
        reason = "Evicted" if life.evicted else "PodFailed"
        trouble = Trouble(reason, life.why_failed or f"pod {life.pod} failed")
    elif life.endings:
        trouble = Trouble(life.endings[-1].reason, life.endings[-1].message)
    else:
        trouble = Trouble("Unsealed", f"pod {life.pod} ended without a seal")
    return _failure(case, last, trouble)


def _failure(case: Case, epoch: int, trouble: Trouble) -> LastFailure | None:
    known = case.dwf.status.last_failure
    if known is not None and known.epoch >= epoch:
        return None
    return LastFailure(epoch=epoch, reason=trouble.reason, message=trouble.message, time=in_milliseconds(case.now))


def _failing(step: Step, case: Case, epoch: int, trouble: Trouble) -> Step:
    return replace(step, failure=_failure(case, epoch, trouble))


def _may_inherit(case: Case) -> bool:
    """The first epoch is above those of whoever had the data before: known at once, it costs no pod to find out."""
    spec = case.dwf.spec
    return spec.adoption_policy == "Released" or bool(spec.storage.take_over_from)


def _delete(life: Life, reason: str, message: str, grace_seconds: int | None = None) -> Step:
    actions = (DeletePod(life.pod, life.uid, grace_seconds),)
    return Step(phase="Stopping", reason=reason, message=message, actions=actions)


def _sweep(lives: tuple[Life, ...]) -> tuple[Action, ...]:
    """Pods that a newer epoch has replaced, or is about to."""
    return tuple(
        DeletePod(life.pod, life.uid, _AT_ONCE_SECONDS if life.live else None) for life in lives if not life.deleting
    )


def _and(step: Step, actions: tuple[Action, ...]) -> Step:
    return replace(step, actions=step.actions + actions)
