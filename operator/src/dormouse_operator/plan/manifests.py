"""What do all objects that belong to a DurableWorkflow have in common?"""

from typing import Any

from dormouse_operator.api import DurableWorkflow
from dormouse_operator.plan.naming import MANAGED_BY_LABEL, NAME_LABEL


def labels(dwf: DurableWorkflow) -> dict[str, str]:
    """By which they are found."""
    return {NAME_LABEL: dwf.metadata.name, MANAGED_BY_LABEL: "dormouse"}


def owner(dwf: DurableWorkflow) -> dict[str, Any]:
    """They go when it goes."""
    return {
        "apiVersion": dwf.api_version,
        "kind": dwf.kind,
        "name": dwf.metadata.name,
        "uid": dwf.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
