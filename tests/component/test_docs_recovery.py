"""Do the commands of the page on recovery bring an earlier state back? Run in their order, as a reader would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reading_along import read_along
from test_docs_commands import in_another_terminal, run

from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, blocks, examples, examples_by_heading, write_titled

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


@pytest.mark.timeout(300)
def test_what_has_failed_for_good_is_retried_in_another_one(tmp_path: Path) -> None:
    port = str(free_ports(1)[0])
    write_titled(PAGE, tmp_path)
    ends, again, retry = (
        replace(one, command=one.command.replace(SHOWN_PORT, port))
        for one in examples_by_heading(PAGE)["Retry what has ended"]
    )
    assert "exit code 1" in run(ends.command, tmp_path)
    refused = run(f"dormouse retry http://localhost:{port} main 2>&1 || true", tmp_path)
    assert "begin another one from it, by spec.restore and without `start`, and retry there" in refused
    with in_another_terminal(again.command, tmp_path, f"http://127.0.0.1:{port}/readyz"):
        read_along([retry], tmp_path, ("", ""))
    told = (tmp_path / "terminal.log").read_text()
    assert "to retry it, begin another one with restore.fromName payment and without start" in told
