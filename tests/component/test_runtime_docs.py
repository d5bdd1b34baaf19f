"""Do the examples of the page on the HTTP API answer what the page shows?"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from test_docs_commands import WITHIN_SECONDS, in_another_terminal, run

from dormouse.runtime.refusals import REFUSALS
from dormouse.runtime.routes import ROUTES
from dormouse_operator.dev.ports import free_ports
from markdown_blocks import REPOSITORY, blocks, write_titled

PAGE = REPOSITORY / "docs" / "http-api.md"
LIVING_PAGE = REPOSITORY / "docs" / "living-workflows.md"
AUTHORS_PAGE = REPOSITORY / "docs" / "writing-workflows.md"
SHOWN_PORT = "8100"
ANYTHING = "..."


def fits(shown: Any, answered: Any) -> bool:
    if shown == ANYTHING:
        return answered is not None
    if isinstance(shown, dict):
        return (
            isinstance(answered, dict)
            and shown.keys() == answered.keys()
            and all(fits(shown[name], answered[name]) for name in shown)
        )
    if isinstance(shown, list):
        return (
            isinstance(answered, list)
            and len(shown) == len(answered)
            and all(fits(one, other) for one, other in zip(shown, answered, strict=True))
        )
    return bool(shown == answered)


def examples() -> list[tuple[str, Any]]:
    """Each command with the answer that follows it; the first one of the page runs in another terminal."""
    _, *found = [block for block in blocks(PAGE) if block.language in ("bash", "json")]
    assert [block.language for block in found] == ["bash", "json"] * (len(found) // 2)
    return [(command.text, json.loads(answer.text)) for command, answer in zip(found[::2], found[1::2], strict=True)]


def answer_of(command: str, shown: Any, folder: Path) -> Any:
    """What it answers. A reader types slowly, so a command that only looks is repeated until it is as shown."""
    deadline = time.monotonic() + WITHIN_SECONDS
    answer = json.loads(run(command, folder))
    while not fits(shown, answer) and "-d" not in command and time.monotonic() < deadline:
        answer = json.loads(run(command, folder))
    return answer


def test_the_examples_answer_what_the_page_shows(tmp_path: Path) -> None:
    for page, title in ((AUTHORS_PAGE, "orders.py"), (LIVING_PAGE, "tickets.py"), (LIVING_PAGE, "refunds.py")):
        (module,) = [block.text for block in blocks(page, "python") if block.title == title]
        (tmp_path / title).write_text(module)
    write_titled(PAGE, tmp_path)
    port = str(free_ports(1)[0])
    serve = next(block.text for block in blocks(PAGE, "bash")).replace(SHOWN_PORT, port)
    with in_another_terminal(serve, tmp_path, f"http://127.0.0.1:{port}/readyz"):
        for command, shown in examples():
            answer = answer_of(command.replace(SHOWN_PORT, port), shown, tmp_path)
            assert fits(shown, answer), f"{command}\n{answer}"


def test_every_path_and_parameter_is_on_the_page() -> None:
    page = PAGE.read_text()
    for route in ROUTES:
        path = route.path.replace("{execution}", "ID").replace("{name}", "NAME")
        (row,) = re.findall(rf"^\| `{route.method} {re.escape(path)}` \|([^|]*)\|", page, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row) == [parameter.name for parameter in route.parameters]


def test_every_reason_is_on_the_page_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    shown = {reason: int(status) for status, reasons in rows for reason in re.findall(r"`(\w+)`", reasons)}
    assert shown == {reason: refusal.status for reason, refusal in REFUSALS.items()}
