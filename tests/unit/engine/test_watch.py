"""Is it noticed when something blocks the event loop?"""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from traceback import FrameSummary, StackSummary

import pytest

from dormouse import Engine, Workflow, activity, workflow
from dormouse.engine import database, turns
from dormouse.engine.watch import culprit


class Heard(logging.Handler):
    """Lets go of the loop once the warning is there, so that no clock decides the test."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.event.set()


@pytest.fixture
def heard() -> Heard:
    return Heard()


def heard_of(stuck: Workflow[[], bool], folder: Path, heard: Heard) -> bool:
    """Whether the warning came before the workflow ended."""

    async def run() -> bool:
        async with Engine(folder / "db.sqlite", [stuck], blocked_loop_seconds=0.05) as engine:
            return await (await engine.start(stuck)).result()

    log = logging.getLogger("dormouse.loop")
    log.addHandler(heard)
    try:
        return asyncio.run(run())
    finally:
        log.removeHandler(heard)


def test_a_blocked_loop_is_reported_with_the_line_that_blocks_it(tmp_path: Path, heard: Heard) -> None:
    @activity
    async def blocks() -> bool:
        return heard.event.wait(20)

    @workflow
    async def stuck() -> bool:
        return await blocks()

    assert heard_of(stuck, tmp_path, heard)
    (message,) = heard.messages
    assert "test_watch.py:" in message.splitlines()[0]
    assert "return heard.event.wait(20)" in message
    assert "plain `def`" in message


def test_a_workflow_that_blocks_the_loop_is_reported_too(tmp_path: Path, heard: Heard) -> None:
    @workflow
    async def stuck() -> bool:
        return heard.event.wait(20)

    assert heard_of(stuck, tmp_path, heard)
    assert "test_watch.py:" in heard.messages[0].splitlines()[0]
    assert "A workflow leaves what takes long to activities" in heard.messages[0]


def stack(*files: str | None) -> StackSummary:
    return StackSummary.from_list([FrameSummary(file or "?", 7, "go_on") for file in files])


def test_a_commit_that_takes_long_is_the_disks_fault_and_not_that_of_who_runs_the_loop() -> None:
    on_its_way = culprit(stack("main.py", asyncio.__file__, turns.__file__, database.__file__))
    assert on_its_way.startswith("the disk, or by another process that locks the file")
    assert culprit(stack("main.py", asyncio.__file__, turns.__file__, "own.py")).startswith("own.py:7 in go_on")
