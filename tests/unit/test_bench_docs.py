"""Do the docs say what the bench found, of the figures and with the goals that the bench has?"""

from __future__ import annotations

import json
from typing import Any

import docs_block
import engine
import engine_docs
import pytest
from frame import FORMAT


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine_docs.RECORD.read_text())
    return found


def result(**changes: Any) -> dict[str, Any]:
    return {
        "name": "resume_ratio",
        "value": 0.125,
        "unit": "",
        "goal": 0.1,
        "better": "lower",
        "ok": False,
        "rounds": [0.1, 0.125, 0.2],
        "baseline": {"name": "DBOS, seconds", "value": 2.5},
        **changes,
    }


def test_the_page_shows_the_recorded_figures_and_no_others(document: dict[str, Any]) -> None:
    page = docs_block.PAGE.read_text()
    assert docs_block.written_block(page, "engine") == docs_block.block(engine.FIGURES, document), (
        "run hack/bench engine --write-docs"
    )


def test_the_record_has_every_figure_of_the_bench_with_its_goal(document: dict[str, Any]) -> None:
    assert (document["format"], document["suite"], document["quick"]) == (FORMAT, "engine", False)
    recorded = {one["name"]: (one["goal"], one["better"], one["unit"]) for one in document["results"]}
    known = {figure.name: (figure.goal, figure.better, figure.unit) for figure in engine.FIGURES}
    skipped = {one["name"] for one in document["skipped"]}
    assert {name: what for name, what in known.items() if name not in skipped} == recorded


def test_a_record_calls_a_goal_reached_exactly_when_it_is(document: dict[str, Any]) -> None:
    figures = {figure.name: figure for figure in engine.FIGURES}
    for one in document["results"]:
        assert one["ok"] == figures[one["name"]].reached(one["value"]), one["name"]


@pytest.mark.parametrize("theme", engine_docs.THEMES)
def test_the_plot_shows_the_recorded_figures(theme: str, document: dict[str, Any]) -> None:
    drawn = engine_docs.image(theme).read_text()
    for bar in engine_docs.compared(document):
        assert f">{bar['text']}<" in drawn, f"{bar['label']}: run hack/bench engine --write-docs"
        for line in bar["label"].split("\n"):
            assert f">{line}<" in drawn


def test_a_missed_goal_and_a_figure_that_was_not_taken_are_said() -> None:
    document = {
        "date": "2026-01-02",
        "machine": {"cores": 2, "processor": "Abacus", "memoryGiB": 24.0, "system": "Linux 6"},
        "versions": {"python": "3.11"},
        "results": [result()],
        "skipped": [{"name": "steps_1_ratio", "why": "no network"}],
    }
    shown = docs_block.block(engine.FIGURES, document)
    assert "| 0.125 | 0.1 to 0.2 | at most 0.1, **missed** | DBOS, seconds: 2.5 |" in shown
    assert "Not taken: `steps_1_ratio` (no network)." in shown


def test_a_ratio_of_seconds_is_drawn_as_how_many_times_as_fast() -> None:
    (bar,) = engine_docs.compared({"results": [result()]})
    assert (bar["times"], bar["lowest"], bar["highest"], bar["goal"]) == (8, 5, 10, 10)


def test_a_page_without_its_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="lacks the marks"):
        docs_block.with_block("# Benchmarks\n", "engine", "| figure |")
