"""Does an installed package add verbs to the command line, and does a broken one disturb nobody?"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs_commands import environment

from dormouse import Engine, workflow
from markdown_blocks import REPOSITORY, blocks

PAGE = REPOSITORY / "docs" / "cli.md"
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "broken-verbs"
version = "1"

[project.entry-points."dormouse.commands"]
misses = "broken_verbs:misses"
nowhere = "no_such_module:verb"
number = "broken_verbs:number"
list = "broken_verbs:number"
late = "broken_verbs:late"

[tool.hatch.build.targets.wheel]
include = ["broken_verbs.py"]
"""


BROKEN = """
import click

number = 7

@click.command()
def late():
    import no_such_module
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the page's package, and one that does not work, are installed as pip does it."""
    folder = tmp_path_factory.mktemp("packages")
    shown = folder / "shown"
    shown.mkdir()
    for block in blocks(PAGE):
        if block.title in ("pyproject.toml", "shop_verbs.py"):
            (shown / block.title).write_text(block.text)
    broken = folder / "broken"
    broken.mkdir()
    (broken / "pyproject.toml").write_text(PROJECT)
    (broken / "broken_verbs.py").write_text(BROKEN)
    target = folder / "installed"
    for package in (shown, broken):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
        ran = subprocess.run(
            [*command, "--target", str(target), str(package)], capture_output=True, text=True, timeout=90, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    return target


def dormouse(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["dormouse", *arguments],
        env={**environment(), "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_verb_of_the_page_is_there_and_runs(installed: Path) -> None:
    listed = dormouse(installed, "--help").stdout
    assert "Greet somebody." in listed
    assert re.search(r"misses +\(cannot run here\)", listed)
    (shown,) = [block.text for block in blocks(PAGE, "text") if block.text.startswith("hello")]
    ran = dormouse(installed, "greet", "ada")
    assert (ran.returncode, ran.stdout) == (0, shown)


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("misses", "of the package broken-verbs does not load"),
        ("nowhere", "No module named 'no_such_module'"),
        ("number", "of the package broken-verbs is no click command, but 7"),
    ],
)
def test_a_verb_that_does_not_work_says_whose_it_is(installed: Path, verb: str, said: str) -> None:
    ran = dormouse(installed, verb, "argument", "--option")
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_what_the_verb_of_another_package_misses_is_not_said_to_be_in_an_extra_of_ours(installed: Path) -> None:
    ran = dormouse(installed, "late")
    assert ran.returncode == 1
    assert ran.stderr.endswith("ModuleNotFoundError: No module named 'no_such_module'\n")
    assert "pip install" not in ran.stderr


def test_no_package_takes_the_place_of_a_verb_of_ours(installed: Path, tmp_path: Path) -> None:
    ran = dormouse(installed, "list", str(tmp_path / "missing.sqlite"))
    assert (ran.returncode, "there is no file" in ran.stderr) == (4, True)


def test_bash_completes_verbs_and_options_as_the_page_sets_it_up() -> None:
    (setting_up,) = [block.text.strip() for block in blocks(PAGE, "bash") if "_DORMOUSE_COMPLETE" in block.text]
    script = f"""
{setting_up}
complete -p dormouse > /dev/null
COMP_LINE="dormouse app" COMP_POINT=12
_dormouse_completion dormouse
printf '%s\\n' "${{COMPREPLY[@]}}"
COMPREPLY=() COMP_LINE="dormouse approve --di" COMP_POINT=21
_dormouse_completion dormouse
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ran = subprocess.run(
        ["bash", "-euc", script], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["approvals", "approve", "--digest"]


def completed(folder: Path, *words: str) -> list[str]:
    """What bash would offer behind these words."""
    ran = subprocess.run(
        ["dormouse"],
        env={
            **environment(),
            "_DORMOUSE_COMPLETE": "bash_complete",
            "COMP_LINE": " ".join(["dormouse", *words]),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return [line.partition(",")[2] for line in ran.stdout.splitlines() if line.startswith("plain,")]


@workflow
async def orders() -> int:
    return 1


@workflow
async def baskets() -> int:
    return 2


def test_executions_and_workflows_are_completed_from_where_the_target_is(tmp_path: Path) -> None:
    async def write() -> None:
        async with Engine(tmp_path / "shop.sqlite", [orders, baskets]) as engine:
            await (await engine.start(orders, id="order-1")).result()
            await (await engine.start(orders, id="order-2")).result()
            await (await engine.start(baskets, id="basket-1")).result()

    asyncio.run(write())
    assert completed(tmp_path, "show", "shop.sqlite", "") == ["basket-1", "order-2", "order-1"]
    assert completed(tmp_path, "history", "shop.sqlite", "order-1") == ["order-1"]
    assert completed(tmp_path, "list", "shop.sqlite", "--workflow", "b") == ["baskets"]
    assert completed(tmp_path, "start", "shop.sqlite", "") == ["baskets", "orders"]


@pytest.mark.parametrize("target", ["missing.sqlite", "http://127.0.0.1:1", "127.0.0.1:1", "some-workflow"])
def test_where_nothing_can_be_read_nothing_is_offered(tmp_path: Path, target: str) -> None:
    assert completed(tmp_path, "show", target, "") == []


@pytest.mark.parametrize(("shell", "begins"), [("zsh", "#compdef dormouse"), ("fish", "function _dormouse_completion")])
def test_other_shells_get_a_script_too(shell: str, begins: str) -> None:
    ran = subprocess.run(
        ["dormouse"],
        env={**environment(), "_DORMOUSE_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.stdout.startswith(begins), ran.stderr
    assert os.environ.get("_DORMOUSE_COMPLETE") is None
