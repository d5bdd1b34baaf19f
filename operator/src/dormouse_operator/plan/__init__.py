"""The pure core: (dwf, observed, now) becomes actions and status, without a clock and without I/O."""

from dormouse_operator.plan.actions import (
    Action,
    ApplyConfigMap,
    CreatePod,
    DeletePod,
    EmitEvent,
    Plan,
    ReadCurrent,
)
from dormouse_operator.plan.naming import (
    EPOCH_LABEL,
    KEEPER_CONTAINER,
    NAME_LABEL,
    RUNTIME_CONTAINER,
    TEMPLATE_HASH_ANNOTATION,
    pod_name,
    source_name,
)
from dormouse_operator.plan.observed import (
    Current,
    CurrentAbsent,
    CurrentMalformed,
    CurrentSeen,
    CurrentUnread,
    Observed,
)
from dormouse_operator.plan.planning import plan
from dormouse_operator.plan.pod import Settings, build_pod, build_source, template_hash

__all__ = [
    "plan",
    "Plan",
    "Observed",
    "Current",
    "CurrentUnread",
    "CurrentAbsent",
    "CurrentSeen",
    "CurrentMalformed",
    "Action",
    "CreatePod",
    "DeletePod",
    "ApplyConfigMap",
    "ReadCurrent",
    "EmitEvent",
    "Settings",
    "build_pod",
    "build_source",
    "template_hash",
    "pod_name",
    "source_name",
    "KEEPER_CONTAINER",
    "RUNTIME_CONTAINER",
    "NAME_LABEL",
    "EPOCH_LABEL",
    "TEMPLATE_HASH_ANNOTATION",
]
