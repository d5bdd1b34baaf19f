"""Why does a running pod have to be replaced? Because the spec changed, or because it does not get on without it."""

from dormouse_operator.api import ObjectStore
from dormouse_operator.plan.case import Case
from dormouse_operator.plan.lives import NEEDS_HELP, Life
from dormouse_operator.plan.pod import break_glass, build_pod
from dormouse_operator.plan.template_hash import template_hash


def why_to_roll(case: Case, store: ObjectStore, life: Life) -> str:
    """Empty when the pod may stay.

    Raises:
        InvalidManifest: when no pod can follow the spec; the one that runs is better than none.
    """
    if life.template_hash != template_hash(case.dwf, store):
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


def _break_glass_changed(case: Case, life: Life) -> bool:
    return any(life.break_glass.get(name, "") != value for name, value in break_glass(case.dwf).items())


def _is_stuck(life: Life) -> bool:
    return not life.ready and (life.obstacle is not None or life.ending_in(NEEDS_HELP) is not None)
