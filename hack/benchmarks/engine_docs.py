"""How do figures get into docs/benchmarks.md? As a block that is written anew, beside their JSON and their plot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rivals
from docs_block import DOCS, PAGE, block, short, with_block
from frame import Figure

RECORD = DOCS / "benchmarks.json"
IMAGES = DOCS / "images"
THEMES = ("light", "dark")


def write(figures: Sequence[Figure], document: Mapping[str, Any]) -> None:
    """Put what a whole run found into the docs."""
    page = with_block(PAGE.read_text(), "engine", block(figures, document))
    RECORD.write_text(json.dumps(document, indent=2) + "\n")
    PAGE.write_text(page)
    IMAGES.mkdir(exist_ok=True)
    for theme in THEMES:
        command = [rivals.python("plot"), str(rivals.PROGRAMS / "plot.py"), theme, str(image(theme))]
        subprocess.run(command, input=json.dumps(compared(document)).encode(), check=True)


def image(theme: str) -> Path:
    """Where the plot is, for readers whose screen is light or dark."""
    return IMAGES / f"benchmarks-{theme}.svg"


_COMPARED = {
    "steps_100_temporal_ratio": "Temporal: 100 workflows",
    "sync_steps_100_ratio": "DBOS: 100 workflows,\neach step waits for the store",
    "steps_100_ratio": "DBOS: 100 workflows",
    "steps_100_restate_ratio": "Restate: 100 workflows",
    "resume_ratio": "DBOS: first resumed step\nafter a start",
    "steps_1_ratio": "DBOS: 1 workflow",
}


def compared(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the plot shows: how many times as fast as another engine, and the goal, the largest first."""
    bars = []
    for result in document["results"]:
        if result["name"] in _COMPARED:
            power = -1 if result["better"] == "lower" else 1
            times, rounds = result["value"] ** power, [value**power for value in result["rounds"]]
            bars.append(
                {
                    "label": _COMPARED[result["name"]],
                    "times": times,
                    "text": f"{short(times)} times",
                    "lowest": min(rounds),
                    "highest": max(rounds),
                    "goal": result["goal"] ** power,
                }
            )
    return sorted(bars, key=lambda bar: -bar["times"])
