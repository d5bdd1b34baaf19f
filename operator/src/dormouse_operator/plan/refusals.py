"""What does it mean that the API server did not take a pod, and what can somebody do about it?

The pod was never there, so its epoch is still to be lived: it is asked for again, and nothing is written for that.
"""

from msgspec.structs import replace

from dormouse_operator.plan.case import Case, Step, Trouble

_REASONS = ("QuotaExceeded", "PodRefused")
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 300.0
_LIMIT_RANGE = "correct resources in spec.template, or the LimitRange of the namespace"
_TOO_LARGE = "make spec.template and spec.exec smaller: what is long belongs into a ConfigMap that the template mounts"
_REMEDIES = (
    ("request is too large", _TOO_LARGE),
    ("message larger than max", _TOO_LARGE),
    ("entity too large", _TOO_LARGE),
    ("cannot be handled as a Pod", "correct the field of spec.template that it names"),
    ("exceeded quota:", "raise the ResourceQuota, or lower resources.requests in spec.template"),
    ("failed quota:", "set what it asks for under resources in spec.template, or by a LimitRange with defaults"),
    ("usage per Container", _LIMIT_RANGE),
    ("usage per Pod", _LIMIT_RANGE),
    ("memory limit of", _LIMIT_RANGE),
    ("cpu limit of", _LIMIT_RANGE),
    ("violates PodSecurity", "take out of spec.template what the namespace's Pod Security level does not let in"),
    ("PriorityClass", "correct priorityClassName in spec.template, or create that PriorityClass"),
    ("RuntimeClass", "correct runtimeClassName in spec.template, or create that RuntimeClass"),
    ("service account", "correct serviceAccountName in spec.template, or create that ServiceAccount"),
    ("admission webhook", "see what that webhook wants, or correct spec.template"),
    ("cannot create resource", "`helm upgrade` brings the operator's roles back"),
    ("is invalid:", "correct the field of spec.template that it names"),
    ("the ConfigMap `", ""),
)
"""The first that fits: words of Kubernetes 1.35, seen; what says its remedy itself needs none."""


def pause_seconds(refusals: int) -> float:
    """After so many refusals in a row of one spec."""
    return float(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(refusals - 1, 16)))


def was_refused(case: Case) -> bool:
    """Whether the newest epoch never had a pod. The status remembers it for an operator that was not there.

    CURRENT counts more: an answer that got lost may have been that the pod was made.
    """
    life, own = case.newest, case.own_current
    has_pod = life is not None and life.epoch == case.last_epoch
    is_claimed = own is not None and own.epoch >= case.last_epoch
    return bool(case.last_epoch) and not has_pod and not is_claimed and _trouble(case) is not None


def while_refused(case: Case, creating: Step) -> Step:
    """Instead of the step that creates the pod for the first time: nothing new is said before it is there."""
    trouble, refusal = _trouble(case), case.observed.refusal
    if trouble is None or creating.created_epoch != case.last_epoch:
        return creating
    waiting = Step(phase="Stalled", reason=trouble.reason, message=trouble.message)
    if refusal is not None and refusal.wait_seconds > 0:
        return replace(waiting, wait_seconds=refusal.wait_seconds)
    return replace(waiting, actions=creating.actions)


def still_refused(case: Case, reading: Step) -> Step:
    """The step that reads CURRENT before the pod is asked for again."""
    trouble = _trouble(case)
    if trouble is None or reading.reason != "ReadingCurrent":
        return reading
    return replace(reading, phase="Stalled", reason=trouble.reason, message=trouble.message)


def _trouble(case: Case) -> Trouble | None:
    if case.observed.refusal is not None:
        return _told(case.observed.refusal.message)
    known = case.dwf.status.condition("Stalled")
    if known is not None and known.status == "True" and known.reason in _REASONS:
        return Trouble(known.reason, known.message)
    return None


def _told(message: str) -> Trouble:
    is_quota = "exceeded quota:" in message or "failed quota:" in message
    remedy = next((remedy for words, remedy in _REMEDIES if words in message), "see what refuses it")
    told = f"{message}; {remedy}" if remedy else message
    return Trouble("QuotaExceeded" if is_quota else "PodRefused", f"{told}. It is tried again with growing pauses")
