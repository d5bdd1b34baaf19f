"""Do the examples of the page on metrics and logs print what the page shows? Run in their order, as a reader would."""

from __future__ import annotations

from pathlib import Path

from reading_along import read_along

from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, blocks, examples, write_titled

PAGE = REPOSITORY / "docs" / "observability.md"
SHOWN_PORT = "8103"


def test_the_examples_print_what_the_page_shows(tmp_path: Path) -> None:
    write_titled(PAGE, tmp_path)
    read_along(examples(blocks(PAGE)), tmp_path, (SHOWN_PORT, str(free_ports(1)[0])))
