"""Does the page about costs print what it shows, and does it name the figures that are taken?"""

from __future__ import annotations

import contextlib
import io

import durability

from markdown_blocks import REPOSITORY, blocks

PAGE = REPOSITORY / "docs" / "cost.md"


def test_the_calculator_prints_what_the_page_shows() -> None:
    (calculator,) = blocks(PAGE, "python")
    (shown,) = blocks(PAGE, "text")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(calculator.text, "cost.py", "exec"), {"__name__": "cost"})
    assert printed.getvalue() == shown.text


def test_every_figure_is_on_the_page_with_its_goal() -> None:
    page = PAGE.read_text()
    for figure in durability.FIGURES:
        unit = f" {figure.unit}" if figure.unit else ""
        assert f"| `{figure.name}` | {figure.what} | at most {figure.goal:g}{unit} |" in page


def test_what_takes_an_hour_is_never_part_of_a_quick_run() -> None:
    (idle,) = [figure for figure in durability.FIGURES if figure.name == "idle_requests_hour"]
    assert idle.quick_seconds > 3600
