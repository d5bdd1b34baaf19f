"""May this object become that one? The transition rules of the CRDs."""

from dormouse_operator.api.durableworkflow import DurableWorkflow
from dormouse_operator.api.invalid import InvalidManifest
from dormouse_operator.api.objectstore import ObjectStore
from dormouse_operator.api.rules import UPDATE_RULES, value_at


def validate_update(old: DurableWorkflow | ObjectStore, new: DurableWorkflow | ObjectStore) -> None:
    """Raise InvalidManifest when a field that is fixed for good would change."""
    for rule in UPDATE_RULES[new.kind]:
        if not rule.holds(value_at(new, rule.path), value_at(old, rule.path)):
            raise InvalidManifest(rule.path, rule.message, kind=new.kind, name=new.metadata.name)
