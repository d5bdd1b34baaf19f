"""Do the CRDs and the Python types say the same, field by field and rule by rule?"""

from typing import Any

import msgspec
import pytest

from dormouse_operator.api import DurableWorkflow, ObjectStore
from dormouse_operator.api.rules import RULES, UPDATE_RULES
from unit.operator_api import crd

KINDS = {"DurableWorkflow": DurableWorkflow, "ObjectStore": ObjectStore}
BY_THE_API_SERVER = {"apiVersion", "kind", "metadata"}


def of_python(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A msgspec schema in the words of a structural one: absent is not null, and has no default."""
    if "$ref" in part:
        named = definitions[part["$ref"].rpartition("/")[2]]
        return of_python({**named, **{key: value for key, value in part.items() if key != "$ref"}}, definitions)
    choices = [choice for choice in part.get("anyOf", ()) if choice != {"type": "null"}]
    if choices:
        rest = {key: value for key, value in part.items() if key != "anyOf"}
        if len(choices) == 1:
            return of_python({**choices[0], **rest}, definitions)
        text = next(choice for choice in choices if choice["type"] == "string")
        return {**without_empty_default(rest), **text, "type": ["integer", "string"]}
    made = {key: value for key, value in part.items() if key not in ("title", "description", "$defs")}
    made = without_empty_default(made)
    if "enum" in made:
        made |= {"type": "string", "enum": sorted(made["enum"])}
    if "properties" in made:
        made["properties"] = {name: of_python(inner, definitions) for name, inner in made["properties"].items()}
        made["required"] = sorted(made.get("required", ()))
        made.pop("additionalProperties", None)
    for inner in ("items", "additionalProperties"):
        if isinstance(made.get(inner), dict):
            made[inner] = of_python(made[inner], definitions)
    return made


def without_empty_default(part: dict[str, Any]) -> dict[str, Any]:
    if "default" in part and part["default"] in (None, "", {}, []):
        return {key: value for key, value in part.items() if key != "default"}
    return part


def of_crd(part: dict[str, Any]) -> dict[str, Any]:
    made = {
        key: value
        for key, value in part.items()
        if not key.startswith("x-kubernetes-") and key not in ("description", "nullable", "anyOf")
    }
    if part.get("x-kubernetes-int-or-string"):
        made["type"] = sorted(choice["type"] for choice in part["anyOf"])
    if "enum" in made:
        made["enum"] = sorted(made["enum"])
    if part.get("x-kubernetes-preserve-unknown-fields"):
        # What is declared there is only what the rules speak of.
        made.pop("properties", None)
    if "properties" in made:
        made["properties"] = {name: of_crd(inner) for name, inner in made["properties"].items()}
        made["required"] = sorted(made.get("required", ()))
    for inner in ("items", "additionalProperties"):
        if inner in made:
            made[inner] = of_crd(made[inner])
    return made


def without_defaults(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: without_defaults(value) for key, value in part.items() if key != "default"}
    return part


@pytest.mark.parametrize("kind", KINDS)
def test_the_crd_and_the_python_type_have_the_same_fields(kind: str) -> None:
    generated = msgspec.json.schema(KINDS[kind])
    python = of_python(generated, generated["$defs"])
    crds = of_crd(crd.schema(kind))
    python["properties"]["metadata"] = crds["properties"]["metadata"]
    # A status is written whole, so its zero values are Python's business.
    python["properties"]["status"] = without_defaults(python["properties"]["status"])
    python["required"] = sorted(set(python["required"]) - BY_THE_API_SERVER)
    assert python == crds


@pytest.mark.parametrize("kind", KINDS)
def test_each_cel_rule_has_its_python_twin_with_the_same_path_and_message(kind: str) -> None:
    steady = {(path or "metadata", text) for path, rule, text in crd.rules(crd.schema(kind)) if "oldSelf" not in rule}
    moving = {(path, text) for path, rule, text in crd.rules(crd.schema(kind)) if "oldSelf" in rule}
    assert steady == {(rule.path, rule.message) for rule in RULES[kind]}
    assert moving == {(rule.path, rule.message) for rule in UPDATE_RULES[kind]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_spec_refuses_unknown_fields_everywhere_and_a_status_nowhere(kind: str) -> None:
    definitions = msgspec.json.schema(KINDS[kind])["$defs"]
    lenient = {name for name, part in definitions.items() if part.get("additionalProperties") is not False}
    assert lenient <= {
        "ObjectMeta",
        "Condition",
        f"{kind}Status",
        "LastSeal",
        "LastFailure",
        "AdoptedFrom",
        "Executions",
        "RecoveryWindow",
        "LastDrill",
        "HeldObject",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_printer_columns_and_selectable_fields_name_is_there(kind: str) -> None:
    (version,) = crd.definition(kind)["spec"]["versions"]
    paths = [column["jsonPath"] for column in version["additionalPrinterColumns"]]
    paths += [selectable["jsonPath"] for selectable in version["selectableFields"]]
    for path in paths:
        if "[" in path or path.startswith(".metadata."):
            continue
        part = version["schema"]["openAPIV3Schema"]
        for name in path.strip(".").split("."):
            part = part["properties"][name]
        assert part["type"] in ("string", "integer", "boolean")
