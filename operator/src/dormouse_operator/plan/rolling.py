"""Why does a running pod have to be replaced? Because the spec changed, or because it does not get on without it."""

from dormouse_operator.api import ObjectStore
from dormouse_operator.plan.case import Case
from dormouse_operator.plan.lives import NEEDS_HELP, Life
from dormouse_operator.plan.naming import pod_name
from dormouse_operator.plan.pod import break_glass, build_pod
from dormouse_operator.plan.reported import Verdict, doing
from dormouse_operator.plan.template_hash import template_hash


def why_to_roll(case: Case, store: ObjectStore, life: Life) -> str:
    """Empty when the pod may stay.

    Raises:
        InvalidManifest: when no pod can follow the spec; the one that runs is better than none.
    """
    if _is_outdated(case, store, life) and not _why_to_wait(case, life):
        build_pod(case.dwf, store, life.epoch + 1, first_claim=False, settings=case.settings)
        return f"pod {life.pod} seals and ends because the spec changed"
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
    if created_epoch is not None:
        return "True", "UpToDate", f"pod {pod_name(case.dwf.metadata.name, created_epoch)} has the newest spec"
    if life is None or not life.live:
        return "True", "UpToDate", "the next pod has the newest spec"
    if store is None:
        return "Unknown", "StoreNotFound", "what a pod would be is not known without its ObjectStore"
    if not _is_outdated(case, store, life):
        return "True", "UpToDate", f"pod {life.pod} has the newest spec"
    return _why_to_wait(case, life) or ("False", "Rolling", f"pod {life.pod} is replaced by one with the newest spec")


def _is_outdated(case: Case, store: ObjectStore, life: Life) -> bool:
    return life.template_hash != template_hash(case.dwf, store)


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
