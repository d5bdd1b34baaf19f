"""When does a workflow leave a node that is being emptied, and what keeps its pod there until then?

With `spec.disruption` a PodDisruptionBudget refuses evictions of the pod, and the operator ends it itself: as soon as
no execution runs anything, or when the time is up. The condition `Draining` remembers since when, and that there is a
budget, so that neither is forgotten when another operator takes over.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan.actions import ApplyBudget, DeleteBudget
from dormouse_operator.plan.case import Case, Step
from dormouse_operator.plan.lives import Life
from dormouse_operator.plan.manifests import labels, owner
from dormouse_operator.plan.naming import NAME_LABEL, budget_name
from dormouse_operator.plan.reported import Verdict, doing

DRAINING = "Draining"
_ENDED = ("Completed", "Suspended", "Deleting")


def build_budget(dwf: DurableWorkflow) -> dict[str, Any]:
    """No pod of the workflow may be evicted while it is Ready; one that is not may always."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": budget_name(dwf.metadata.name, dwf.metadata.uid),
            "namespace": dwf.metadata.namespace,
            "labels": labels(dwf),
            "ownerReferences": [owner(dwf)],
        },
        "spec": {
            # Of pods whose owner cannot be scaled Kubernetes counts only this, and no maxUnavailable.
            "minAvailable": 1,
            "selector": {"matchLabels": {NAME_LABEL: dwf.metadata.name}},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def why_to_leave(case: Case, life: Life) -> str:
    """Empty while the pod may stay where it is."""
    if not _is_on_cordoned_node(case, life):
        return ""
    if _is_idle(case):
        return f"pod {life.pod} is idle, seals and ends because node {life.node} is cordoned"
    if _seconds_left(case) <= 0:
        return f"pod {life.pod} seals and ends because node {life.node} is cordoned and the time to wait is over"
    return ""


def with_budget(case: Case, step: Step) -> Step:
    """The step, and what has to be done about the budget; when it may be time to leave."""
    if _is_wanted(case, step):
        if case.observed.cordoned_nodes is None:
            return step
        made = replace(step, actions=(*step.actions, ApplyBudget(build_budget(case.dwf))))
        life = case.newest
        if life is None or not life.live or life.deleting or not _is_on_cordoned_node(case, life):
            return made
        seconds = max(1.0, _seconds_left(case))
        return replace(made, wait_seconds=min(seconds, step.wait_seconds or seconds))
    if case.dwf.status.condition(DRAINING) is None or case.observed.has_budget is False:
        return step
    return replace(
        step, actions=(*step.actions, DeleteBudget(budget_name(case.dwf.metadata.name, case.dwf.metadata.uid)))
    )


def draining(case: Case, step: Step) -> Verdict | None:
    """None when there is no budget, and none is wanted."""
    known, life = case.dwf.status.condition(DRAINING), case.newest
    if not _is_wanted(case, step):
        if known is None or case.observed.has_budget is False:
            return None
        return known.status, known.reason, known.message
    if case.observed.budget_error:
        told = f"{case.observed.budget_error}; the chart's value disruption.enabled lets the operator do it"
        return "Unknown", "BudgetRefused", told
    if case.observed.cordoned_nodes is None:
        return "Unknown", "NodesNotRead", "which nodes are cordoned is not known yet, so no eviction is refused"
    if life is not None and life.live and _is_on_cordoned_node(case, life):
        return (
            "True",
            "NodeCordoned",
            f"pod {life.pod} leaves node {life.node} when it is idle, {_until(case)} at the latest",
        )
    return "False", "NodeOpen", "evictions are refused while the pod is ready; cordon its node and it leaves by itself"


def _is_wanted(case: Case, step: Step) -> bool:
    is_ending = bool(case.dwf.metadata.deletion_timestamp) or step.phase in _ENDED
    is_suspended = case.dwf.spec.operating_mode == "Suspended"
    return case.dwf.spec.disruption is not None and not is_ending and not is_suspended


def _is_on_cordoned_node(case: Case, life: Life) -> bool:
    return case.dwf.spec.disruption is not None and life.node in (case.observed.cordoned_nodes or frozenset())


def _is_idle(case: Case) -> bool:
    executions = doing(case).executions
    return executions is not None and executions.running == 0


def _deadline(case: Case) -> datetime:
    """From the moment on that the condition says so; it is rounded down to seconds."""
    known, disruption = case.dwf.status.condition(DRAINING), case.dwf.spec.disruption
    seconds = 0 if disruption is None else disruption.wait_for_idle_seconds
    since = case.now
    if known is not None and known.status == "True":
        # After a clock was set back its time begins anew, as the condition says then.
        since = min(case.now, datetime.fromisoformat(known.last_transition_time))
    return since + timedelta(seconds=seconds)


def _seconds_left(case: Case) -> float:
    return (_deadline(case) - case.now).total_seconds()


def _until(case: Case) -> str:
    return _deadline(case).isoformat(timespec="seconds").replace("+00:00", "Z")
