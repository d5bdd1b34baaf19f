"""May this object become that one? The transition rules of the CRDs."""

from typing import Any

from msgspec import Struct, json, structs

from dormouse_operator.api.durableworkflow import DurableWorkflow
from dormouse_operator.api.invalid import InvalidManifest
from dormouse_operator.api.objectstore import ObjectStore
from dormouse_operator.api.rules import UPDATE_RULES, UpdateRule, value_at


def validate_update(old: DurableWorkflow | ObjectStore, new: DurableWorkflow | ObjectStore) -> None:
    """Raise InvalidManifest, with the path of what changed, when a field that is fixed for good would change."""
    for rule in UPDATE_RULES[new.kind]:
        before, after = value_at(old, rule.path), value_at(new, rule.path)
        if not rule.holds(after, before):
            raise InvalidManifest(_broken_at(rule, after, before), rule.message, kind=new.kind, name=new.metadata.name)


def _broken_at(rule: UpdateRule, new: Any, old: Any) -> str:
    """The rule's path, made as exact as the change is."""
    if isinstance(new, Struct):
        for field in structs.fields(new):
            before = getattr(old, field.name)
            if rule.holds(structs.replace(new, **{field.name: before}), old):  # so this one alone breaks it
                return _changed_at(f"{rule.path}.{field.encode_name}", getattr(new, field.name), before)
    return rule.path


def _changed_at(path: str, new: Any, old: Any) -> str:
    """Follow the change down to the one field that accounts for it."""
    if not (isinstance(new, Struct) and isinstance(old, type(new))):
        return path
    changed = [field for field in structs.fields(new) if _differs(getattr(new, field.name), getattr(old, field.name))]
    if len(changed) != 1:
        return path
    (field,) = changed
    return _changed_at(f"{path}.{field.encode_name}", getattr(new, field.name), getattr(old, field.name))


def _differs(new: Any, old: Any) -> bool:
    return json.encode(new, order="sorted") != json.encode(old, order="sorted")
