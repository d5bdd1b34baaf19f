"""Do the charts hold together, as far as that can be told without Helm?"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from chart_rules import CHARTS, TEMPLATES, grants, rules
from dormouse_operator.controller.command import run
from dormouse_operator.plan import CHECK_LABEL, MANAGED_BY_LABEL
from markdown_blocks import REPOSITORY, blocks

NAMES = ("dormouse", "dormouse-crds")
CRDS = REPOSITORY / "crds"
STORE = {"name": "default", "spec": {"bucket": "kept", "credentials": {"secretRef": {"name": "keys"}}}}
NETWORK: dict[str, Any] = {"enabled": True, "apiServerPorts": [443], "storePorts": [], "metricsFrom": []}
NETWORK["workflows"] = {"enabled": False, "egress": []}
# What Kubernetes or the CRD checks: a copy of their schemas would only grow old.
FREE = {
    "affinity",
    "global",
    "objectStores[].spec",
    "tolerations[]",
    "networkPolicy.workflows.egress[]",
    "networkPolicy.metricsFrom[]",
}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"namespace": ["team"]}, ""),
    ({"namespaces": "team"}, "namespaces"),
    ({"namespaces": ["team", "team"]}, "namespaces"),
    ({"namespaces": ["team-*"]}, "namespaces.0"),
    ({"replicas": 0}, "replicas"),
    ({"image": {"repository": ""}}, "image.repository"),
    ({"image": {"repository": "dormouse-operator:1"}}, "image.repository"),
    ({"image": {"repository": "dormouse-operator", "digest": "sha256:1"}}, "image.digest"),
    ({"workerImage": {"repository": "dormouse-worker", "pullPolicy": "Always"}}, "workerImage"),
    ({"reports": True}, "reports"),
    ({"metrics": {"enabled": "yes"}}, "metrics.enabled"),
    ({"logFormat": "xml"}, "logFormat"),
    ({"serviceMonitor": {"enabled": True, "interval": "often"}}, "serviceMonitor.interval"),
    ({"podMonitor": {"enabled": True, "token": "secret"}}, "podMonitor"),
    ({"prometheusRule": {"enabled": True, "runbookUrl": ""}}, "prometheusRule.runbookUrl"),
    ({"sessionCredentials": {"enabled": "yes"}}, "sessionCredentials.enabled"),
    ({"disruption": {"enabled": "yes"}}, "disruption.enabled"),
    ({"podLabels": {"a": 1}}, "podLabels.a"),
    ({"podLabels": {"app.kubernetes.io/component": "mine"}}, "podLabels"),
    ({"networkPolicy": {name: value for name, value in NETWORK.items() if name != "workflows"}}, "networkPolicy"),
    ({"networkPolicy": {**NETWORK, "storePorts": [70000]}}, "networkPolicy.storePorts.0"),
    ({"networkPolicy": {**NETWORK, "apiServerPorts": []}}, "networkPolicy.apiServerPorts"),
    ({"objectStores": [{"name": "default"}]}, "objectStores.0"),
    ({"objectStores": [{**STORE, "namespaces": []}]}, "objectStores.0.namespaces"),
    ({"objectStores": [{**STORE, "spec": {"bucket": "kept"}}]}, "objectStores.0.spec"),
]


def chart(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHARTS / name / "Chart.yaml").read_text())
    return found


def values(name: str = "dormouse") -> dict[str, Any]:
    return yaml.safe_load((CHARTS / name / "values.yaml").read_text()) or {}


def schema(name: str = "dormouse") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHARTS / name / "values.schema.json").read_text())
    return found


def described(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each value that may be set, and what the schema says of it."""
    for name, found in part.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, found
        yield from described(found, below)
    if isinstance(part.get("items"), dict) and "$ref" not in part["items"]:
        yield f"{path}[]", part["items"]
        yield from described(part["items"], f"{path}[]")


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_is_one_and_takes_the_defaults(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    Draft202012Validator(schema(name)).validate(values(name))


@pytest.mark.parametrize(("wrong", "place"), WRONG, ids=[json.dumps(wrong) for wrong, _ in WRONG])
def test_a_wrong_value_is_refused_at_its_place(wrong: dict[str, Any], place: str) -> None:
    errors = list(Draft202012Validator(schema()).iter_errors({**values(), **wrong}))
    assert [".".join(map(str, error.absolute_path)) for error in errors] == [place]


def test_the_values_that_the_readme_shows_are_taken() -> None:
    shown = [yaml.safe_load(block.text) for block in blocks(CHARTS / "dormouse" / "README.md", "yaml")]
    assert shown
    for each in shown:
        Draft202012Validator(schema()).validate({**values(), **each})


def test_every_object_in_the_schema_is_closed() -> None:
    everything = [("", schema()), *described(schema())]
    open_ones = {
        path for path, found in everything if found.get("type") == "object" and "additionalProperties" not in found
    }
    assert open_ones == FREE


def test_every_value_is_described_in_the_schema_and_in_the_readme() -> None:
    table = (CHARTS / "dormouse" / "README.md").read_text()
    for path, found in described(schema()):
        if "properties" in found or path.endswith("[]") or path == "global":
            continue
        assert "description" in {**schema()["$defs"].get(found.get("$ref", "").rpartition("/")[2], {}), **found}, path
        assert f"`{path}`" in table, path


def test_every_default_is_a_value_of_the_schema() -> None:
    known = {path for path, _ in described(schema())}
    assert set(values()) == {path for path in known if not re.search(r"[.\[]", path)} - {"global"}


def test_the_definitions_in_the_chart_are_those_of_the_api() -> None:
    templates = CHARTS / "dormouse-crds" / "templates"
    assert {file.name: file.read_bytes() for file in templates.glob("*.yaml")} == {
        file.name: file.read_bytes() for file in CRDS.glob("*.yaml")
    }
    assert all(file.is_symlink() for file in templates.glob("*.yaml"))


@pytest.mark.parametrize("file", sorted(CRDS.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_definition_is_a_template_without_templating_and_outlives_its_release(file: Any) -> None:
    assert "{{" not in file.read_text()
    annotations = yaml.safe_load(file.read_text())["metadata"]["annotations"]
    assert annotations["helm.sh/resource-policy"] == "keep"


def test_both_charts_have_the_version_of_the_distribution() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    for name in NAMES:
        assert chart(name)["appVersion"] == version
        assert chart(name)["version"] == version.replace(".dev", "-dev")
        assert chart(name)["kubeVersion"] == ">=1.33.0-0"


def test_every_argument_of_the_operator_is_an_option_of_its_command() -> None:
    options = {name for parameter in run.params for name in parameter.opts}
    given = set(re.findall(r"^\s+- (--[a-z-]+)", (TEMPLATES / "deployment.yaml").read_text(), re.MULTILINE))
    assert "--namespace" in given
    assert given - options == set()


def test_policies_find_workflows_by_the_label_that_the_operator_gives_them() -> None:
    assert f"{MANAGED_BY_LABEL}: dormouse" in (TEMPLATES / "_names.tpl").read_text()
    policies = (TEMPLATES / "workflow-network-policies.yaml").read_text()
    found = re.findall(r"key: (\S+), operator: (\w+)", policies)
    assert found == [(CHECK_LABEL, "DoesNotExist"), (CHECK_LABEL, "Exists")], "each pod has one of the two"


def test_every_verb_is_explained_and_none_is_a_wildcard() -> None:
    for name in ("_served_rules.tpl", "leading.yaml", "nodes.yaml", "cordons.yaml", "reports.yaml"):
        lines = (TEMPLATES / name).read_text().splitlines()
        for number, line in enumerate(lines):
            if re.match(r"^ +- [a-z]+( #|$)", line):
                assert "# " in line or lines[number - 1].lstrip().startswith("# "), f"{name}: {line}"
    assert "*" not in {each for rule in rules() for field in rule.values() for each in field}


def test_no_verb_is_granted_twice() -> None:
    assert [rule for rule in rules() if len(set(rule["verbs"])) < len(rule["verbs"])] == []


def test_no_secret_is_listed_or_watched() -> None:
    assert {each.verb for each in grants() if each.resource == "secrets"} == {"get", "patch", "create"}


def test_secrets_are_created_only_where_that_was_asked_for() -> None:
    assert values()["sessionCredentials"] == {"enabled": False}
    lines = (TEMPLATES / "_served_rules.tpl").read_text().splitlines()
    (create,) = [number for number, line in enumerate(lines) if "the Secret with a pod's own credentials" in line]
    assert lines[create - 1].strip() == "{{- if .Values.sessionCredentials.enabled }}"
    assert lines[create + 1].strip() == "{{- end }}"


def test_nodes_and_budgets_are_only_for_those_who_asked_for_them() -> None:
    assert values()["disruption"] == {"enabled": False}
    assert (TEMPLATES / "cordons.yaml").read_text().startswith("{{- if .Values.disruption.enabled }}")
    lines = (TEMPLATES / "_served_rules.tpl").read_text().splitlines()
    (budgets,) = [number for number, line in enumerate(lines) if "poddisruptionbudgets" in line]
    assert lines[budgets - 2].strip() == "{{- if .Values.disruption.enabled }}"
    assert lines[budgets + 5].strip() == "{{- end }}"
    assert {each.verb for each in grants() if each.resource == "nodes"} == {"list"}
