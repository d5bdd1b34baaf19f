"""Do suspend and resume change the spec of all that are meant, and of nothing if one of them is not there?"""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from dormouse._commands import root
from scripted_kubectl import Refusal, ScriptedKubectl


def one(name: str, mode: str = "Running") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team"}, "spec": {"operatingMode": mode}}


KNOWN = {
    "get durableworkflows.dormouse.dev shop ": one("shop"),
    "get durableworkflows.dormouse.dev rests ": one("rests", "Suspended"),
    "get durableworkflows.dormouse.dev --selector=team=shop": {"items": [one("shop"), one("rests", "Suspended")]},
    "get durableworkflows.dormouse.dev --selector": {"items": []},
    "get durableworkflows.dormouse.dev --output=name": "durableworkflow.dormouse.dev/shop\n",
    "get durableworkflows.dormouse.dev": Refusal("Error from server (NotFound): not found"),
    "patch": "patched",
}


def patches(kubectl: ScriptedKubectl) -> list[str]:
    return [line for line in kubectl.asked() if line.startswith("patch")]


def patch(name: str, mode: str) -> str:
    options = f'--type=merge --patch={{"spec": {{"operatingMode": "{mode}"}}}} --namespace=team'
    return f"patch durableworkflows.dormouse.dev {name} {options}"


@pytest.mark.parametrize("options", [["shop", "rests", "shop"], ["-l", "team=shop"]])
def test_what_runs_is_suspended_and_what_rests_is_left(kubectl: ScriptedKubectl, options: list[str]) -> None:
    kubectl.answers(KNOWN)
    ended = CliRunner().invoke(root, ["suspend", *options])
    assert ended.exit_code == 0, ended.output
    assert ended.output == (
        "shop is asked to suspend; `dormouse status shop` shows when it rests\nrests is suspended already\n"
    )
    assert patches(kubectl) == [patch("shop", "Suspended")]


@pytest.mark.parametrize("options", [["shop", "rests"], ["-l", "team=shop"]])
def test_what_rests_goes_on_and_what_runs_is_left(kubectl: ScriptedKubectl, options: list[str]) -> None:
    kubectl.answers(KNOWN)
    ended = CliRunner().invoke(root, ["resume", *options])
    assert ended.exit_code == 0, ended.output
    assert ended.output == (
        "shop is not suspended\nrests is asked to go on; `dormouse status rests` shows when it does\n"
    )
    assert patches(kubectl) == [patch("rests", "Running")]


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_a_wrong_name_among_right_ones_changes_nothing(kubectl: ScriptedKubectl, verb: str) -> None:
    kubectl.answers(KNOWN)
    ended = CliRunner().invoke(root, [verb, "shop", "rests", "shpo"])
    assert ended.exit_code == 4
    assert "did you mean shop?" in ended.output
    assert patches(kubectl) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["suspend"], "give names, or -l"),
        (["suspend", "shop", "-l", "a=b"], "give names, or -l"),
        (["suspend", "-l", "a=b"], "no DurableWorkflow here has the labels a=b"),
        (["resume"], "give names, or -l"),
        (["resume", "http://localhost:8080"], "--execution ID or --all-executions"),
        (["resume", "shop.sqlite"], "a file or an address is not suspended"),
        (["resume", "shop", "-o", "json"], "-o goes with --execution or --all-executions"),
        (["resume", "shop", "rests", "--all-executions"], "give one TARGET"),
        (["resume", "--all-executions"], "give one TARGET"),
        (["resume", "shop", "--all-executions", "--execution", "a"], "either --execution ID or --all-executions"),
        (["resume", "localhost:8080"], "a runtime is http://localhost:8080"),
    ],
)
def test_what_does_not_go_together_is_refused(kubectl: ScriptedKubectl, line: list[str], said: str) -> None:
    kubectl.answers(KNOWN)
    ended = CliRunner().invoke(root, line)
    assert ended.exit_code == 2, ended.output
    assert said in " ".join(ended.output.split())


def test_who_may_not_change_it_is_told_what_is_missing(kubectl: ScriptedKubectl) -> None:
    forbidden = (
        'User "ada" cannot patch resource "durableworkflows" in API group "dormouse.dev" in the namespace "team"'
    )
    kubectl.answers({**KNOWN, "patch": Refusal(f"Error from server (Forbidden): {forbidden}")})
    ended = CliRunner().invoke(root, ["suspend", "shop"])
    assert ended.exit_code == 4
    assert "the ClusterRole edit, bound there, allows it" in ended.output
