"""Do the examples of the page on the command line print what the page shows? Run in their order, as a reader would."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from reading_along import read_along
from test_docs_commands import in_another_terminal

from dormouse._commands import root
from dormouse.lint.rules import CODES
from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, blocks, examples, write_titled

PAGE = REPOSITORY / "docs" / "cli.md"
SHOWN_PORT, GUARDED_PORT = "8101", "8102"
VERBS = (
    "run",
    "start",
    "result",
    "list",
    "show",
    "history",
    "signal",
    "query",
    "update",
    "approvals",
    "approve",
    "reject",
    "cancel",
    "terminate",
    "retry",
    "resume",
    "drill",
    "exec",
    "lint",
)


def test_the_examples_print_what_the_page_shows(tmp_path: Path) -> None:
    folder, (port, guarded) = tmp_path, map(str, free_ports(2))
    for file in write_titled(PAGE, folder):
        file.write_text(file.read_text().replace(SHOWN_PORT, port))
    in_terminal = next(block.text for block in blocks(PAGE, "bash")).replace(SHOWN_PORT, port)
    with in_another_terminal(in_terminal, folder, f"http://127.0.0.1:{port}/readyz"):
        shown = [replace(one, command=one.command.replace(GUARDED_PORT, guarded)) for one in examples(blocks(PAGE))]
        read_along(shown[1:], folder, (SHOWN_PORT, port))


def test_its_modules_are_typed(tmp_path: Path) -> None:
    files = sorted(file.name for file in write_titled(PAGE, tmp_path) if file.suffix == ".py")
    command = [sys.executable, "-m", "mypy", "--strict", *files]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_the_verbs_is_on_the_page(verb: str) -> None:
    page = PAGE.read_text()
    command = root.get_command(root.make_context("dormouse", [verb]), verb)
    assert command is not None
    options = {parameter.opts[-1] for parameter in command.params if parameter.param_type_name == "option"}
    assert {name for name in options - {"--help", "--namespace", "--output"} if f"`{name}" not in page} == set()


def test_every_code_of_the_lint_is_on_the_page() -> None:
    page = PAGE.read_text()
    assert [code for code in CODES if f"`{code}`" not in page] == []
