"""Do the examples of the page on the command line print what the page shows? Run in their order, as a reader would."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_docs_commands import in_another_terminal, run

from dormouse._commands import root
from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, Block, blocks, write_titled

PAGE = REPOSITORY / "docs" / "cli.md"
SHOWN_PORT = "8101"
VERBS = ("run", "start", "result", "list", "show", "history")


def examples() -> list[tuple[Block, str | None]]:
    """Each command after the first with what it prints, if the page shows that."""
    found = [block for block in blocks(PAGE) if block.language in ("bash", "text")][1:]
    following = [*found[1:], None]
    return [
        (one, after.text if after is not None and after.language == "text" else None)
        for one, after in zip(found, following, strict=True)
        if one.language == "bash"
    ]


def fits(shown: str, printed: str) -> bool:
    """Whether it is the same but for moments, numbers and the widths of columns."""
    pattern = r"\s+".join(re.escape(word).replace(re.escape("..."), r"\S+") for word in shown.split())
    return re.fullmatch(pattern, " ".join(printed.split())) is not None


def test_the_examples_print_what_the_page_shows(tmp_path: Path) -> None:
    folder, port = tmp_path, str(free_ports(1)[0])
    for file in write_titled(PAGE, folder):
        file.write_text(file.read_text().replace(SHOWN_PORT, port))
    in_terminal = next(block.text for block in blocks(PAGE, "bash")).replace(SHOWN_PORT, port)
    with in_another_terminal(in_terminal, folder, f"http://127.0.0.1:{port}/readyz"):
        for command, shown in examples():
            printed = run(f"{{ {command.text.replace(SHOWN_PORT, port).strip()}\n}} 2>&1", folder)
            assert shown is None or fits(shown, printed), f"{command.text}\n{printed}"


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_the_verbs_is_on_the_page(verb: str) -> None:
    page = PAGE.read_text()
    command = root.get_command(root.make_context("dormouse", [verb]), verb)
    assert command is not None
    options = {parameter.opts[-1] for parameter in command.params if parameter.param_type_name == "option"}
    assert {name for name in options - {"--help", "--namespace", "--output"} if f"`{name}" not in page} == set()
