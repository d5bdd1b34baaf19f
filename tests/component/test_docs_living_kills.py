"""Do the page's scopes and compensations hold when the process is killed before and after each of its activities?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from markdown_blocks import REPOSITORY, write_titled

# Runs one workflow of a module of the page, and kills itself at the attempt that it was told.
PROGRAM = """
import asyncio, importlib, os, signal, sys
from dormouse import Engine, ExecutionFailed

module, call, attempt, when = importlib.import_module(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
definition, value = eval(call, vars(module))
begun = 0


def dying(run):
    async def counted(*call):
        global begun
        begun += 1
        last = begun == attempt
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return await run(*call)
        finally:
            if last:
                os.kill(os.getpid(), signal.SIGKILL)

    return counted


async def main():
    async with Engine("db.sqlite", module, around_attempts=dying) as engine:
        try:
            return await (await engine.start(definition, value, id="one")).result()
        except ExecutionFailed as failed:
            return failed.cause_type


print("ends as", asyncio.run(main()))
"""
STORIES = {
    "the first courier": (
        "deliveries",
        "deliver, Parcel('tea', {'van': 9.0, 'bike': 0.001})",
        {"van turns back", "ends as bike, shelf for tea"},
    ),
    "no courier in time": (
        "deliveries",
        "deliver, Parcel('tea', {'van': 9.0}, minutes_at_most=0.001)",
        {"van turns back", "the shelf for tea is free", "ends as None"},
    ),
    "a trip that cannot be": (
        "trips",
        "book_trip, ['rome', 'oslo', 'atlantis']",
        {"cancelled the bed in oslo", "cancelled the bed in rome", "ends as ActivityError"},
    ),
}
NEVER = 0


def lives(folder: Path, module: str, call: str, attempt: int, when: str) -> Iterator[subprocess.CompletedProcess[str]]:
    """The life that dies at this attempt, if it gets there, and the one that ends."""
    for dies_at in (attempt, NEVER):
        command = [sys.executable, "-u", "-c", PROGRAM, module, call, str(dies_at), when]
        life = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        yield life
        if life.returncode == 0:
            return


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("story", STORIES)
def test_it_comes_to_the_same_end_killed_at_whichever_activity(story: str, when: str, tmp_path: Path) -> None:
    module, call, expected = STORIES[story]
    for attempt in range(1, 20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        write_titled(REPOSITORY / "docs" / "living-workflows.md", folder)
        *killed, last = lives(folder, module, call, attempt, when)
        assert last.returncode == 0, last.stderr
        said = [line for life in (*killed, last) for line in life.stdout.splitlines()]
        assert set(said) == expected, f"killed {when} attempt {attempt}"
        if not killed:
            assert attempt > 2
            return
    raise AssertionError("it never ran to its end")
