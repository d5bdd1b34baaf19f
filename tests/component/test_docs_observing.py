"""Do the commands of the page on looking from outside do what it says? Run in their order, as a reader would."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from reading_along import read_along
from test_docs_commands import in_another_terminal, run

from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, blocks, examples, write_titled

PAGE = REPOSITORY / "docs" / "observing.md"
SHOWN_PORT = "8106"


def test_recorded_executions_are_replayed_with_the_code_and_with_other_code_and_queried(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    write_titled(PAGE, tmp_path)
    port = str(free_ports(1)[0])
    shown = [block.text.replace(SHOWN_PORT, port) for block in blocks(PAGE, "bash")]
    serve = next(text for text in shown if text.startswith("dormouse run"))
    asks = next(text for text in shown if text.startswith("dormouse start"))
    with in_another_terminal(serve, tmp_path, f"http://localhost:{port}/readyz"):
        run(asks, tmp_path)
    replays = [one for one in examples(blocks(PAGE)) if "dormouse replay" in one.command]
    assert len(replays) == 3
    assert "--all" in replays[-1].command
    read_along(replays[:-1], tmp_path, (SHOWN_PORT, port))
    assert ET.parse(tmp_path / "replay.xml").getroot().attrib["failures"] == "2"
    read_along(replays[-1:], tmp_path, (SHOWN_PORT, port))
    suite = ET.parse(tmp_path / "replay.xml").getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "0")

    looks = [
        one
        for one in examples(blocks(PAGE))
        if one.command.startswith(("dormouse sql", "dormouse tree", "dormouse export", "dormouse report"))
    ]
    assert len(looks) == 7
    read_along(looks, tmp_path, (SHOWN_PORT, port))
    slowest = json.loads((tmp_path / "slowest.json").read_text())
    assert {row[1] for row in slowest["rows"]} == {"order-1", "order-2"}
    assert b"a book" in (tmp_path / "live.sqlite").read_bytes()
    assert b"a book" not in (tmp_path / "for-support.sqlite").read_bytes()
