"""Which pods may be alive although neither a watch nor a list by labels shows them, and when does that matter?

Labels can be taken away and a status can be edited. What a pod is asked for by is its name, which nobody can edit.
"""

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan.actions import CreateCheck, CreatePod, Plan, ReleaseData, RemoveFinalizer
from dormouse_operator.plan.naming import FINALIZER, pod_name
from dormouse_operator.plan.observed import Current, CurrentAbsent, CurrentSeen, Observed

_NEVER_BESIDE_A_POD = CreatePod | CreateCheck | ReleaseData


def rests_on_absence(dwf: DurableWorkflow, planned: Plan, observed: Observed) -> bool:
    """Whether a pod that is not known of would make the plan wrong.

    A first pod rests on nothing: each comes after the finalizer and after a status, and the status of the next one is
    only written onto the version that was planned with. So whoever begins thousands asks for none of their lists.
    """
    if FINALIZER not in dwf.metadata.finalizers and not dwf.status.phase:
        return False
    if any(isinstance(action, _NEVER_BESIDE_A_POD) for action in planned.actions):
        return True
    # Nobody has claimed yet: whoever did it later would leave its data to a UID that nobody has.
    is_let_go = any(isinstance(action, RemoveFinalizer) for action in planned.actions)
    return is_let_go and isinstance(observed.current, CurrentAbsent)


def may_be_unseen(dwf: DurableWorkflow, current: Current) -> tuple[str, ...]:
    """The pods to be asked for by name: the newest of the status, and the one that CURRENT belongs to.

    One that is newer than both has not claimed. The next one would have its name, which so is the guard against that.
    """
    epochs = {dwf.status.epoch}
    if isinstance(current, CurrentSeen) and current.workflow_uid == dwf.metadata.uid:
        epochs.add(current.epoch)
    if not any(epochs) and FINALIZER in dwf.metadata.finalizers:
        epochs.add(1)
    return tuple(pod_name(dwf.metadata.name, epoch) for epoch in sorted(epochs) if epoch)
