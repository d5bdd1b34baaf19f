"""How far is a life that nothing has to be done about?"""

from dormouse_operator.plan.case import Case, Step
from dormouse_operator.plan.lives import Life
from dormouse_operator.plan.naming import RUNTIME_CONTAINER
from dormouse_operator.plan.obstacles import NO_IMAGE, Obstacle


def restoring(pod: str) -> str:
    """The same from the moment on that the pod is asked for: that it was made, and has a node, is no news."""
    return f"pod {pod} claims and restores"


def progress(case: Case, life: Life) -> Step:
    """What its containers say, in the order in which a life goes on."""
    if life.ready:
        return Step(phase="Running", reason="Running", message=f"pod {life.pod} runs")
    if is_completing(life):
        told = f"everything is closed, and pod {life.pod} seals and ends"
        return Step(phase="Running", reason="Completing", message=told)
    if (obstacle := life.obstacle) is not None:
        return Step(phase="Starting", reason=obstacle.reason, message=_cannot_start(case, life, obstacle))
    if not life.keeper_ready and _was_restored(case, life):
        return Step(phase="Running", reason="NotReplicating", message=_keeper_message(life))
    if not life.keeper_ready:
        return Step(phase="Starting", reason="Restoring", message=restoring(life.pod))
    return Step(phase="Starting", reason="RuntimeNotReady", message=_runtime_message(life))


def is_completing(life: Life | None) -> bool:
    """Whether its runtime says that everything is closed; whether that was sealed only CURRENT says."""
    ending = life.runtime_ending if life is not None else None
    return ending is not None and ending.reason == "Completed"


def _was_restored(case: Case, life: Life) -> bool:
    status = case.dwf.status
    return status.epoch == life.epoch and status.is_true("Restored")


def _cannot_start(case: Case, life: Life, obstacle: Obstacle) -> str:
    told = f"pod {life.pod} cannot start: {obstacle.message or obstacle.reason}"
    if obstacle.reason not in NO_IMAGE:
        return told
    is_runtime = obstacle.container == RUNTIME_CONTAINER
    image = life.image if is_runtime else life.keeper_image
    field = "spec.image" if is_runtime and case.dwf.spec.image else "workerImage of the operator's chart"
    way_out = f"correct {field}, or imagePullSecrets in spec.template, or make the image available"
    return f"{told}. The {obstacle.container} container has no image `{image}`: {way_out}; it is tried again until then"


def _keeper_message(life: Life) -> str:
    ending = life.keeper_ending
    if ending is None:
        return f"replication is not fresh in pod {life.pod}, which says why in a moment"
    return f"the keeper of pod {life.pod} ended with {ending.reason}: {ending.message}".rstrip(": ")


def _runtime_message(life: Life) -> str:
    ending = life.runtime_ending
    if ending is None:
        return f"the runtime of pod {life.pod} loads the code and replays"
    return f"the runtime of pod {life.pod} ended with {ending.reason}: {ending.message}".rstrip(": ")
