"""Is everything that the verbs about a cluster take on their page, and do they print what it shows?"""

from __future__ import annotations

import re
from typing import Any

import pytest
from click.testing import CliRunner

from dormouse._commands import root
from markdown_blocks import REPOSITORY, blocks, examples, fits
from scripted_kubectl import Refusal, ScriptedKubectl
from unit.cluster.test_doctor import condition, named, well
from unit.cluster.test_status import EVENTS, POD
from unit.cluster.test_status import shop as running
from unit.cluster.test_suspending import one

PAGE = REPOSITORY / "docs" / "kubectl.md"
VERBS = ("status", "suspend", "resume", "doctor", "logs")
EXAMPLES = examples(blocks(PAGE))
PLUGIN = "kubectl dormouse "


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_on_the_page(verb: str) -> None:
    page = PAGE.read_text()
    command = root.get_command(root.make_context("dormouse", [verb]), verb)
    assert command is not None
    options = {parameter.opts[-1] for parameter in command.params if parameter.param_type_name == "option"}
    assert {name for name in options - {"--help", "--output"} if f"`{name}" not in page} == set()


def shown(beginning: str) -> tuple[list[str], str]:
    """The command lines of the page that begin like this, and the answer."""
    (found,) = (one for one in EXAMPLES if one.command.startswith(PLUGIN + beginning))
    assert found.shown is not None
    return [line.removeprefix(PLUGIN) for line in found.command.splitlines()], found.shown


def typed(line: str) -> str:
    ended = CliRunner().invoke(root, line.split())
    assert ended.exit_code == 0, ended.output
    return ended.output


def heads(text: str) -> list[str]:
    """What stands in the first column."""
    return [re.split(r"\s{2,}", line)[0] for line in text.splitlines() if line[:1].strip()]


def counter() -> dict[str, Any]:
    found = running()
    metadata = {**found["metadata"], "name": "counter", "namespace": "shop"}
    return {**found, "metadata": metadata, "status": {**found["status"], "podName": "counter-e4"}}


def test_the_screen_about_one_has_the_lines_of_the_page(kubectl: ScriptedKubectl) -> None:
    kubectl.answers(
        {
            "get durableworkflows.dormouse.dev counter ": counter(),
            "get pod counter-e4 ": POD,
            "get events": {"items": EVENTS[:1]},
            "port-forward": Refusal("error: unable to forward port because pod is not running"),
        }
    )
    (line,), answer = shown("status counter")
    printed = typed(line)
    assert heads(printed) == heads(answer)
    assert "=> nothing to do: the next epoch starts by itself" in printed


def test_the_table_of_all_has_the_columns_of_the_page(kubectl: ScriptedKubectl) -> None:
    kubectl.answers({"get durableworkflows.dormouse.dev --all-namespaces": {"items": [counter()]}})
    (line,), answer = shown("status --all-namespaces")
    columns, row = (text.split() for text in typed(line).splitlines())
    assert columns == answer.splitlines()[0].split()
    assert row[:5] == answer.splitlines()[1].split()[:5]


def test_suspend_and_resume_answer_as_on_the_page(kubectl: ScriptedKubectl) -> None:
    lines, answer = shown("suspend")
    printed = []
    for line, mode in zip(lines, ("Running", "Suspended"), strict=True):
        kubectl.answers({"get durableworkflows.dormouse.dev counter ": one("counter", mode), "patch": "patched"})
        printed.append(typed(line))
    assert fits(answer, "".join(printed)), printed


def test_the_doctor_finds_all_well_as_on_the_page(kubectl: ScriptedKubectl) -> None:
    store = named("default", condition("Available", "True"))
    store["metadata"]["namespace"] = "shop"
    kubectl.answers({**well(), "get objectstores": {"items": [store]}})
    (line,), answer = shown("doctor")
    printed = typed(line)
    assert fits(answer, printed), printed


def test_every_other_command_of_the_page_needs_a_pod() -> None:
    """They are typed on a real cluster."""
    left = {one.command.split()[2] for one in EXAMPLES} - {"status", "suspend", "doctor"}
    assert left == {"list", "logs"}
