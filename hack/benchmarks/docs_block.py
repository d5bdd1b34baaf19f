"""What does the table of a suite's figures in docs/benchmarks.md look like, and where does it stand?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frame import Figure

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "benchmarks.md"
_END = "<!-- Until here. -->\n"


def _begin(suite: str) -> str:
    return f"<!-- Written by `hack/bench {suite} --write-docs`. -->\n"


def with_block(page: str, suite: str, text: str) -> str:
    """The page with this between the suite's marks. Raises ValueError when it has none."""
    before, begin, rest = page.partition(_begin(suite))
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the marks {_begin(suite).strip()} and {_END.strip()}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def written_block(page: str, suite: str) -> str:
    """What stands between the suite's marks."""
    return page.partition(_begin(suite))[2].partition(_END)[0].strip("\n") + "\n"


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
