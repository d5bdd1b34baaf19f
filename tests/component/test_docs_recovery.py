"""Do the commands of the page on recovery bring an earlier state back? Run in their order, as a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_along import read_along
from test_docs_commands import in_another_terminal, run

from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, blocks, examples, write_titled

PAGE = REPOSITORY / "docs" / "recovery.md"
SHOWN_PORT = "8105"


@pytest.mark.long  # it starts `dormouse dev` twice
@pytest.mark.timeout(300)
def test_the_mistake_is_undone_in_a_copy(tmp_path: Path) -> None:
    port = str(free_ports(1)[0])
    write_titled(PAGE, tmp_path)
    shop, mistake, manifest, copy, *_ = (block.text.replace(SHOWN_PORT, port) for block in blocks(PAGE, "bash"))
    ready = f"http://127.0.0.1:{port}/readyz"
    with in_another_terminal(shop, tmp_path, ready):
        run(mistake, tmp_path)
    run(manifest, tmp_path)
    with in_another_terminal(copy, tmp_path, ready):
        read_along(
            [one for one in examples(blocks(PAGE)) if "dormouse drill" in one.command], tmp_path, (SHOWN_PORT, port)
        )
