"""Does the page on placement say what pods ask for and what a template may set, and are its manifests pods?"""

from __future__ import annotations

import re

import pytest
import yaml

from dormouse_operator.api import DurableWorkflow, InvalidManifest, parse
from dormouse_operator.plan import build_pod
from dormouse_operator.plan.template import _OUR_PATHS, _OUR_VARIABLES, _OUR_VOLUMES, _YOUR_VARIABLES
from markdown_blocks import REPOSITORY, blocks
from unit.operator_samples import store, workflow

PAGE = REPOSITORY / "docs" / "placement.md"
TEXT = PAGE.read_text()


def section(heading: str) -> str:
    return TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_column(heading: str) -> list[str]:
    rows = [line.split("|")[1] for line in section(heading).splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_every_workflow_of_the_page_makes_a_pod() -> None:
    manifests = [parse(yaml.safe_load(each.text)) for each in blocks(PAGE, "yaml") if "DurableWorkflow" in each.text]
    workflows = [each for each in manifests if isinstance(each, DurableWorkflow)]
    made = {each.metadata.name: build_pod(each, store(), 1, first_claim=True)["spec"] for each in workflows}
    assert set(made) == {"placed", "patient", "careful"}
    placed = made["placed"]
    assert placed["containers"][0]["resources"]["limits"] == {"memory": "512Mi"}
    assert placed["topologySpreadConstraints"][0]["maxSkew"] == 1


@pytest.mark.parametrize("field", first_column("Where pods run"))
def test_a_template_may_set_each_field_that_the_page_names(field: str) -> None:
    value = "x" if field.endswith(("Name", "Policy")) else {} if field in ("affinity", "nodeSelector") else []
    assert (
        build_pod(workflow({f"spec.template.spec.{field}": value}), store(), 1, first_claim=True)["spec"][field]
        == value
    )


def test_it_names_fields_and_others_are_refused() -> None:
    assert len(first_column("Where pods run")) == 8
    with pytest.raises(InvalidManifest, match=r"spec\.template\.spec\.nodeName"):
        build_pod(workflow({"spec.template.spec.nodeName": "node-a"}), store(), 1, first_claim=True)


def row(name: str) -> str:
    lines = section("What a template may not say").splitlines()
    (found,) = [line for line in lines if line.startswith(f"| {name} |")]
    return found


def test_the_volumes_and_variables_that_a_template_may_not_name_are_those_of_the_page() -> None:
    named, _, mounts = row("volumes").partition(";")
    assert tuple(re.findall(r"`([\w-]+)`", named)) == _OUR_VOLUMES
    assert tuple(re.findall(r"`(/[\w/-]+)`", mounts)) == _OUR_PATHS
    ours, _, yours = row("variables").partition("but for")
    assert tuple(re.findall(r"`([A-Z]+)`", ours)) == _OUR_VARIABLES
    keepers, _, runtimes = yours.partition("for `runtime`")
    assert set(re.findall(r"`(DORMOUSE_\w+)`", keepers)) == set(_YOUR_VARIABLES["litestream"])
    assert set(re.findall(r"`(DORMOUSE_\w+)`", yours)) == set(_YOUR_VARIABLES["runtime"])
    assert runtimes


def test_what_pods_ask_for_is_what_the_page_says() -> None:
    spec = build_pod(workflow(), store(), 1, first_claim=True)["spec"]
    for container in (*spec["initContainers"], *spec["containers"]):
        asked = container["resources"]
        assert f"| `{container['name']}` | {asked['requests']['cpu']} CPU, {asked['requests']['memory']} |" in TEXT
        assert list(asked) == ["requests"]
