"""Do the modules of the page on workflows that live do what the page says?"""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dormouse import Engine, ExecutionFailed, Signal, workflow
from dormouse.testing import Durable, replay
from markdown_blocks import REPOSITORY, blocks, write_titled

PAGE = REPOSITORY / "docs" / "living-workflows.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader's folder with the files of the page."""
    files = write_titled(PAGE, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for file in files:
        sys.modules.pop(file.stem, None)


def result(module: ModuleType, workflow: str, value: Any, folder: Path) -> Any:
    async def run() -> Any:
        async with Engine(folder / "db.sqlite", workflows=module) as engine:
            return await (await engine.start(workflow, value, id="one")).result()

    return asyncio.run(run())


def test_its_tests_pass_and_it_has_the_types_that_it_says(folder: Path) -> None:
    (command,) = (block.text.split() for block in blocks(PAGE, "bash"))
    test = [sys.executable, "-m", *command, "-W", "error", "-p", "no:cacheprovider"]
    types = [sys.executable, "-m", "mypy", "--strict", *sorted(file.name for file in folder.glob("*.py"))]
    for check in (test, types):
        ran = subprocess.run(check, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_copy_goes_on_from_its_last_heartbeat(folder: Path) -> None:
    assert result(importlib.import_module("activities"), "copy", 5, folder) == (2, "WHY")


def test_a_trip_is_booked_as_a_whole_or_not_at_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trips = importlib.import_module("trips")
    with pytest.raises(ExecutionFailed, match="no such place"):
        result(trips, "book_trip", ["rome", "oslo", "atlantis"], folder)
    assert capsys.readouterr().out == "cancelled the bed in oslo\ncancelled the bed in rome\n"


@pytest.mark.parametrize(
    ("minutes", "expected", "said"),
    [
        ({"van": 30.0, "bike": 10.0}, "bike, shelf for tea", {"van turns back"}),
        ({"van": 90.0}, None, {"van turns back", "the shelf for tea is free"}),
    ],
)
def test_a_parcel_is_delivered_or_nothing_has_happened_after_whichever_commit_the_process_dies(
    minutes: dict[str, float], expected: str | None, said: set[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deliveries = importlib.import_module("deliveries")
    results = Durable(folder).run_with_each_crash(deliveries.deliver, deliveries.Parcel("tea", minutes))
    assert len(results) > 3
    assert set(results) == {expected}
    assert set(capsys.readouterr().out.splitlines()) == said


@pytest.mark.parametrize(("workflow", "value", "expected"), [("book_two", ["rome"], 2), ("travel", 0, 3)])
def test_trips_are_made_of_others(folder: Path, workflow: str, value: Any, expected: int) -> None:
    assert result(importlib.import_module("trips"), workflow, value, folder) == expected


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_refund_is_decided_on(folder: Path, decision: str) -> None:
    refunds = importlib.import_module("refunds")

    async def run() -> Any:
        async with Engine(folder / "db.sqlite", workflows=refunds) as engine:
            handle = await engine.start("give_back", {"order": "a", "cents": 1})
            await engine.settled()
            (asked,) = await handle.approvals()
            await getattr(handle, decision)(refunds.pay_out, asked.digest, by="ada", reason="why")
            return await handle.result()

    expected = {"approve": "paid, as ada has approved", "reject": "ada says no: why"}
    assert asyncio.run(run()) == expected[decision]


def test_a_changed_report_goes_on_wherever_the_old_one_had_come_to(folder: Path) -> None:
    reports = importlib.import_module("reports")
    go = Signal("go", str)

    async def report(topic: str) -> str:
        text = await reports.write(topic)
        await maybe_wait("write")
        await reports.count_words(text)
        await maybe_wait("count")
        return str(await reports.post(text))

    async def maybe_wait(at: str) -> None:
        if at == waits:
            await go.receive()

    async def record(durable: Durable) -> None:
        async with durable.engine([workflow(report)]) as engine:
            await engine.start("report", "owls", id="old")
            await engine.sleep(1)

    ends = {}
    for waits in ("write", "count"):
        (folder / waits).mkdir()
        durable = Durable(folder / waits)
        asyncio.run(record(durable))
        replay(durable.database, reports)

        async def go_on(durable: Durable = durable) -> tuple[Any, Any]:
            async with durable.engine(reports) as engine:
                new = await engine.start(reports.report, "owls")
                return await engine.handle("old", reports.report).result(), await new.result()

        ends[waits] = asyncio.run(go_on())
    new = "on owls, proofread, printed"
    assert ends == {"write": (new, new), "count": ("on owls, printed", new)}
