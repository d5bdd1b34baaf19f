"""Does the page on debugging show what happens? Its commands run in their order, and what is typed in pdb is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_along import read_along, type_along
from test_docs_commands import in_another_terminal

from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, Example, blocks, examples, write_titled

PAGE = REPOSITORY / "docs" / "debugging.md"
SHOWN_PORT = "8107"
FORKS_PORT = "8108"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder, after the reader has run the workflow."""
    folder = tmp_path_factory.mktemp("bureau")
    write_titled(PAGE, folder)
    port = str(free_ports(1)[0])
    serve, asks, *_ = examples(blocks(PAGE))
    with in_another_terminal(serve.command.replace(SHOWN_PORT, port), folder, f"http://localhost:{port}/readyz"):
        read_along([asks], folder, (SHOWN_PORT, port))
    return folder


def shown(beginning: str) -> Example:
    (found,) = (one for one in examples(blocks(PAGE)) if one.command.startswith(beginning))
    return found


def test_the_history_numbers_the_events(folder: Path) -> None:
    read_along([shown("dormouse history")], folder, (SHOWN_PORT, SHOWN_PORT))


def test_the_session_in_pdb_goes_as_shown(folder: Path) -> None:
    one = shown("dormouse debug bureau.sqlite --execution change-1 --code bureau.py --break-at 3\n")
    type_along(one, folder)


def test_the_fork_goes_on_with_the_other_answer_and_the_diff_shows_where_they_part(folder: Path) -> None:
    forks = [one for one in examples(blocks(PAGE)) if one.command.startswith("dormouse fork")]
    assert len(forks) == 2, "one with another answer, one that asks again"
    read_along(forks, folder, (FORKS_PORT, FORKS_PORT))
    port = str(free_ports(1)[0])
    serve, resumes = shown("dormouse run bureau.py --database mended.sqlite"), shown("dormouse resume")
    with in_another_terminal(serve.command.replace(FORKS_PORT, port), folder, f"http://localhost:{port}/readyz"):
        read_along([resumes], folder, (FORKS_PORT, port))
    read_along([shown("dormouse diff")], folder, (FORKS_PORT, port))


def test_the_variables_are_printed_as_shown(folder: Path) -> None:
    read_along(
        [one for one in examples(blocks(PAGE)) if "--print-variables" in one.command], folder, (SHOWN_PORT, SHOWN_PORT)
    )
