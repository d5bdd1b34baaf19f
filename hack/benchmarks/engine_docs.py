"""How do figures get into docs/benchmarks.md? As a block that is written anew, beside their JSON and their plot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rivals
from frame import Figure

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "benchmarks.md"
RECORD = DOCS / "benchmarks.json"
IMAGES = DOCS / "images"
THEMES = ("light", "dark")
_BEGIN = "<!-- Written by `hack/bench engine --write-docs`. -->\n"
_END = "<!-- Until here. -->\n"


def write(figures: Sequence[Figure], document: Mapping[str, Any]) -> None:
    """Put what a whole run found into the docs."""
    page = with_block(PAGE.read_text(), block(figures, document))
    RECORD.write_text(json.dumps(document, indent=2) + "\n")
    PAGE.write_text(page)
    IMAGES.mkdir(exist_ok=True)
    for theme in THEMES:
        command = [rivals.python("plot"), str(rivals.PROGRAMS / "plot.py"), theme, str(image(theme))]
        subprocess.run(command, input=json.dumps(compared(document)).encode(), check=True)


def image(theme: str) -> Path:
    """Where the plot is, for readers whose screen is light or dark."""
    return IMAGES / f"benchmarks-{theme}.svg"


def with_block(page: str, text: str) -> str:
    """The page with this between its marks."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the marks {_BEGIN.strip()} and {_END.strip()}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def written_block(page: str) -> str:
    """What stands between the marks."""
    return page.partition(_BEGIN)[2].partition(_END)[0].strip("\n") + "\n"


def block(figures: Sequence[Figure], document: Mapping[str, Any]) -> str:
    """The figures, and what they were taken on, in Markdown."""
    what = {figure.name: figure.what for figure in figures}
    lines = ["| figure | what | value | lowest to highest round | goal | against |", "|---|---|---|---|---|---|"]
    for result in document["results"]:
        unit = f" {result['unit']}" if result["unit"] else ""
        sign = "at most" if result["better"] == "lower" else "at least"
        verdict = "" if result["ok"] else ", **missed**"
        rounds = result["rounds"]
        spread = f"{short(min(rounds))} to {short(max(rounds))}" if len(rounds) > 1 else "one round"
        baseline = result["baseline"]
        against = f"{baseline['name']}: {short(baseline['value'])}" if baseline else ""
        lines.append(
            f"| `{result['name']}` | {what[result['name']]} | {short(result['value'])}{unit} | {spread} "
            f"| {sign} {short(result['goal'])}{verdict} | {against} |"
        )
    lines += [f"\nNot taken: `{one['name']}` ({one['why']})." for one in document["skipped"]]
    machine, versions = document["machine"], document["versions"]
    lines.append(
        f"\nTaken on {document['date']}, {machine['cores']} cores ({machine['processor']}), "
        f"{short(machine['memoryGiB'])} GiB, {machine['system']}."
    )
    lines.append("Versions: " + ", ".join(f"{name} {versions[name]}" for name in versions) + ".")
    return "\n".join(lines) + "\n"


def short(value: float) -> str:
    """Three digits; large numbers whole."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


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
