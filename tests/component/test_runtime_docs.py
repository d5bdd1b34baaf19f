"""Do the examples of the page on the HTTP API answer what the page shows?"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from runtime_pod import RuntimePod

from dormouse.runtime.refusals import REFUSALS
from dormouse.runtime.routes import ROUTES
from markdown_blocks import REPOSITORY, blocks

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


async def output_of(command: str, port: int) -> Any:
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", command.replace(SHOWN_PORT, str(port)), stdout=asyncio.subprocess.PIPE
    )
    written, _ = await asyncio.wait_for(process.communicate(), 60)
    return json.loads(written)


def examples() -> list[tuple[str, Any]]:
    """Each command with the answer that follows it."""
    found = [block for block in blocks(PAGE) if block.language in ("bash", "json")]
    assert [block.language for block in found] == ["bash", "json"] * (len(found) // 2)
    return [(command.text, json.loads(answer.text)) for command, answer in zip(found[::2], found[1::2], strict=True)]


def test_the_examples_answer_what_the_page_shows(tmp_path: Path) -> None:
    pages = (AUTHORS_PAGE, "orders.py"), (LIVING_PAGE, "tickets.py"), (LIVING_PAGE, "refunds.py")
    module = "\n".join(
        next(block.text for block in blocks(page, "python") if block.title == title) for page, title in pages
    )

    async def live() -> None:
        async with RuntimePod(tmp_path, module) as pod:
            await pod.start()
            await pod.ready()
            for command, shown in examples():
                answers: list[Any] = []

                async def as_shown(command: str = command, shown: Any = shown, answers: list[Any] = answers) -> bool:
                    answers.append(await output_of(command, pod.port))
                    return fits(shown, answers[-1])

                try:
                    # A reader types slowly: what an order does first is over by then.
                    await (pod.until(as_shown) if "-d" not in command else as_shown())
                finally:
                    assert fits(shown, answers[-1]), f"{command}\n{answers[-1]}"

    asyncio.run(live())


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
