"""Does a scrape say what the page promises, in a form that Prometheus reads?"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from dormouse import Engine, Workflow, activity, workflow
from dormouse.runtime.drill import Drilled
from dormouse.runtime.metrics import exposition
from markdown_blocks import REPOSITORY

PAGE = REPOSITORY / "docs" / "observability.md"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@activity
async def brew(leaf: str) -> str:
    return f"{leaf} tea"


@workflow
async def tea(leaf: str) -> str:
    return await brew(leaf)


@workflow
async def forgotten() -> None:
    await asyncio.Event().wait()


def scraped(path: Path, workflows: list[Workflow[..., str]], accept: str = "", *, start: bool = True) -> str:
    async def run() -> str:
        async with Engine(path / "db.sqlite", workflows) as engine:
            await engine.recovered()
            if start:
                await (await engine.start(tea, "green")).result()
            return exposition(engine, 7, accept)[0].decode()

    return asyncio.run(run())


def test_the_table_on_the_page_is_what_is_scraped(tmp_path: Path) -> None:
    table = PAGE.read_text().partition("| metric |")[2].partition("\n\n")[0]
    shown = {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in re.findall(r"^\| (`dormouse_[^|]*) \|([^|]*)\|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    found: dict[str, set[str]] = {}
    for family in read_text(scraped(tmp_path, [tea])):
        if not family.name.startswith("process_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert found == shown


def test_the_numbers_are_those_of_the_engine(tmp_path: Path) -> None:
    text = scraped(tmp_path, [tea])
    values = {(sample.name, *sample.labels.values()): sample.value for one in read_text(text) for sample in one.samples}
    assert values["dormouse_executions_closed_total", "Completed", "tea"] == 1
    assert values["dormouse_executions", "blocked", "tea"] == 0
    assert values["dormouse_attempts_total", "brew", "succeeded"] == 1
    assert values["dormouse_attempt_seconds_count", "brew"] == values["dormouse_attempt_seconds_bucket", "brew", "+Inf"]
    assert values["dormouse_epoch",] == 7
    assert values["process_resident_memory_bytes",] > 0


def test_a_drill_is_seen_once_there_was_one(tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with Engine(tmp_path / "db.sqlite", [tea]) as engine:
            seen = [exposition(engine, 7, "", drilled)[0].decode() for drilled in (None, Drilled(ok=False, at=86400.5))]
        return ["\n".join(re.findall("^dormouse_drill_.*", text, re.MULTILINE)) for text in seen]

    before, after = asyncio.run(run())
    assert (before, after) == ("", "dormouse_drill_success 0.0\ndormouse_drill_timestamp_seconds 86400.5")


def test_openmetrics_is_spoken_to_who_asks_for_it(tmp_path: Path) -> None:
    assert {"dormouse_steps", "dormouse_commit_seconds"} <= {
        one.name
        for one in read_openmetrics(scraped(tmp_path, [tea], OPENMETRICS))  # type: ignore[no-untyped-call]
    }


def test_workflows_that_the_code_has_lost_share_one_label(tmp_path: Path) -> None:
    async def before() -> None:
        async with Engine(tmp_path / "db.sqlite", [forgotten]) as engine:
            await engine.start(forgotten)

    asyncio.run(before())
    text = scraped(tmp_path, [tea], start=False)
    assert 'dormouse_executions{state="blocked",workflow="(unknown)"} 1.0' in text
    assert "forgotten" not in text


@pytest.mark.parametrize("module", ["dormouse.runtime.life", "dormouse.commands.standalone"])
def test_a_runtime_that_nobody_scrapes_has_not_loaded_it(module: str) -> None:
    code = f"import sys, {module}; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
