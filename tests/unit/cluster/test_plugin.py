"""Is `kubectl dormouse` the same program, on the cluster that its options name, and does kubectl complete it?"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dormouse._commands import root
from dormouse.cluster.kubectl import Kubectl
from dormouse.commands import completion
from dormouse.commands.kubectl_completion import offered
from markdown_blocks import REPOSITORY
from scripted_kubectl import Refusal, ScriptedKubectl

NAMES = "durableworkflow.dormouse.dev/orders\ndurableworkflow.dormouse.dev/shop\n"


def test_it_is_the_same_program_under_the_names_that_kubectl_looks_for() -> None:
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {
        "dormouse": "dormouse.cli:main",
        "kubectl-dormouse": "dormouse.cli:kubectl_plugin",
        "kubectl_complete-dormouse": "dormouse.cli:complete_for_kubectl",
    }


def test_its_help_names_it_as_it_is_typed() -> None:
    plugin = Path(sys.executable).with_name("kubectl-dormouse")
    help_text = subprocess.run([plugin, "show", "--help"], check=True, capture_output=True, text=True).stdout
    assert help_text.startswith("Usage: kubectl dormouse show ")
    assert "\n  kubectl dormouse show http://localhost:8080 order-1\n" in help_text


def test_a_name_is_looked_for_on_the_cluster_that_the_options_name(kubectl: ScriptedKubectl) -> None:
    kubectl.answers({"get": {"metadata": {"namespace": "team"}, "status": {}}})
    line = ["list", "shop", "-n", "team", "--context", "stage", "--kubeconfig", "config"]
    ended = CliRunner().invoke(root, line)
    assert (ended.exit_code, ended.output) == (4, "Error: shop has no pod now; `dormouse status shop` says why\n")
    assert kubectl.asked() == [
        "get durableworkflows.dormouse.dev shop --output=json --namespace=team --context=stage --kubeconfig=config"
    ]


def test_a_wrong_name_is_answered_with_the_nearest(kubectl: ScriptedKubectl) -> None:
    kubectl.answers({"output=name": NAMES, "get": Refusal("Error from server (NotFound): shpo not found")})
    ended = CliRunner().invoke(root, ["list", "shpo"])
    assert ended.exit_code == 4
    assert "did you mean shop?" in ended.output


def test_a_wrong_name_is_refused_also_to_those_who_may_not_list_the_right_ones(kubectl: ScriptedKubectl) -> None:
    listing = Refusal('User "ada" cannot list resource "durableworkflows" in API group "dormouse.dev"')
    kubectl.answers({"output=name": listing, "get": Refusal("Error from server (NotFound): shpo not found")})
    ended = CliRunner().invoke(root, ["list", "shpo"])
    assert ended.exit_code == 4
    assert "there is no DurableWorkflow 'shpo' in the namespace of the context; -n names another" in ended.output


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["dr"], ["drill\tRestore a running workflow's data from the...", ":4"]),
        (["show", "s"], ["shop", ":0"]),
        (["pull", ""], ["orders", "shop", ":4"]),
        (["show", "./s"], [":0"]),
        (["show", "shop", "--cont"], ["--context\tWhich context of the kubeconfig. Default: the current one.", ":4"]),
        (["list", "shop", "--status", "Fa"], ["failed", ":4"]),
    ],
)
def test_kubectl_is_told_what_can_follow(kubectl: ScriptedKubectl, words: list[str], lines: list[str]) -> None:
    kubectl.answers({"output=name": NAMES})
    assert offered(words).splitlines() == lines


def test_completion_looks_where_the_options_before_it_say(kubectl: ScriptedKubectl) -> None:
    kubectl.answers({"output=name": NAMES})
    assert offered(["show", "-n", "team", "--context", "stage", ""]).splitlines() == ["orders", "shop", ":0"]
    assert kubectl.asked() == ["get durableworkflows.dormouse.dev --output=name --namespace=team --context=stage"]


def test_who_presses_tab_does_not_wait_for_a_cluster_as_long_as_others_do() -> None:
    within = completion.kubectl_of(click.Context(root)).within_seconds
    assert within < Kubectl().within_seconds


def test_completion_says_nothing_where_there_is_no_cluster(kubectl: ScriptedKubectl) -> None:
    kubectl.answers({"get": Refusal("The connection to the server was refused")})
    assert offered(["show", ""]) == ":0"
    assert offered([]).endswith(":4")
