"""How long does a workflow stay that has completed?"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dormouse_operator.plan.actions import DeleteWorkflow, EmitEvent
from dormouse_operator.plan.case import Case, Step


def with_expiry(case: Case, step: Step) -> Step:
    """The step of a completed workflow, and its deletion once `ttlSecondsAfterFinished` are over.

    `dormouse dev` deletes nothing: the manifest is still there, and would run it again.
    """
    completed = case.dwf.status.condition("Completed")
    ttl = case.dwf.spec.ttl_seconds_after_finished
    if ttl is None or completed is None or not case.settings.on_cluster:
        return step
    since = datetime.fromisoformat(completed.last_transition_time)
    left = (since + timedelta(seconds=ttl) - case.now).total_seconds()
    if left > 0:
        # After a clock was set back it stays longer, since data may go with it.
        return replace(step, wait_seconds=min(left, float(ttl)))
    told = f"completed at {completed.last_transition_time}, more than {ttl} s (ttlSecondsAfterFinished) ago"
    return replace(step, actions=(*step.actions, EmitEvent("Normal", "Expired", told), DeleteWorkflow()))
