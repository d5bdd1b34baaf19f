"""Does a drill find out what a restore would give back, with a real keeper and a real store?"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import aiohttp
import obstore
import pytest
from keeper_pod import KeeperPod, Workflow, free_port, run

from dormouse.keeper.drill import digests_of
from dormouse.replica.layout import transactions
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


def test_a_drill_restores_what_the_live_side_holds_while_that_is_written_all_the_time(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        pod.write("first")
        done = asyncio.Event()

        async def write_on(pod: KeeperPod) -> int:
            count = 0
            while not done.is_set():
                await asyncio.to_thread(pod.write, f"note {count}")
                count += 1
            return count

        writing = asyncio.create_task(write_on(pod))
        found = [await pod.keeper.drill() for _ in range(3)]
        done.set()
        assert await writing > 0
        assert [one["problems"] for one in found] == [[], [], []]
        positions = [int(one["position"].removeprefix("1/")) for one in found]
        assert positions == sorted(positions)
        with closing(sqlite3.connect(found[-1]["path"])) as copy:
            assert copy.execute("SELECT text FROM note WHERE rowid = 1").fetchone() == ("first",)
        assert (await workflow.current()).state == "Active"

    run(story, workflow)


def test_a_drill_tells_that_the_copy_is_damaged_or_another_one(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        for note in ("one", "two"):
            pod.write(note)
            await pod.keeper.barrier()
        assert (await pod.keeper.drill())["problems"] == []
        prefix = (await workflow.current()).entry.prefix
        problems: list[str] = []
        async with asyncio.timeout(60):
            while not problems:  # Litestream may write a whole file once more, of what is on the disk
                async for listed in workflow.store.objects(prefix):
                    if transactions(listed.key) is not None:
                        await obstore.put_async(workflow.raw_store, listed.key, b"no LTX file any more")
                problems = (await pod.keeper.drill())["problems"]
        (problem,) = problems
        assert problem.startswith("the store's copy cannot be restored: ")

    run(story, workflow)


MODULE = """
import asyncio

from dormouse import workflow

@workflow
async def rest() -> None:
    await asyncio.sleep(3600)
"""


@asynccontextmanager
async def drilling_every_second(pod: KeeperPod) -> AsyncIterator[Callable[[], Awaitable[float | None]]]:
    """A runtime beside the keeper, whose workflow rests; what is given says how its last drill went."""
    (pod.folder / "user.py").write_text(MODULE)
    port = free_port()
    variables = {
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "DORMOUSE_PORT": str(port),
        "DORMOUSE_ENTRYPOINT": "user",
        "DORMOUSE_SOURCE": str(pod.folder),
        "DORMOUSE_START_WORKFLOW": "rest",
        "DORMOUSE_DRILL_SECONDS": "1",
    }
    with (pod.folder / "runtime-log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dormouse.runtime", env={**pod.environment(), **variables}, stdout=log, stderr=log
        )

    async def went_well() -> float | None:
        assert process.returncode is None, (pod.folder / "runtime-log").read_text()
        with suppress(OSError):
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                found = re.search(r"^dormouse_drill_success (\S+)$", await answer.text(), re.MULTILINE)
                return None if found is None else float(found[1])
        return None

    try:
        yield went_well
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_a_scheduled_drill_is_done_again_and_again_and_its_metric_says_when_it_fails(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1).open()
        async with drilling_every_second(pod) as went_well, asyncio.timeout(90):
            while await went_well() is None:
                await asyncio.sleep(0.1)
            assert await went_well() == 1
            prefix = (await workflow.current()).entry.prefix
            while await went_well() != 0:  # Litestream may write a whole file once more, of what is on the disk
                async for listed in workflow.store.objects(prefix):
                    if transactions(listed.key) is not None:
                        await obstore.put_async(workflow.raw_store, listed.key, b"no LTX file any more")
                await asyncio.sleep(0.2)
        assert "the store's copy cannot be restored" in (pod.folder / "runtime-log").read_text()

    run(story, workflow)


def test_tables_are_compared_by_their_rows_and_what_litestream_keeps_for_itself_is_not(tmp_path: Path) -> None:
    def made(name: str, *statements: str) -> dict[str, str]:
        with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as connection:
            for statement in ('CREATE TABLE "a ""b" (x)', "CREATE TABLE _litestream_seq (id)", *statements):
                connection.execute(statement)
        return digests_of(tmp_path / name)

    empty = made("empty")
    assert list(empty) == ['a "b']
    assert made("same", "INSERT INTO _litestream_seq VALUES (7)") == empty
    number = made("number", 'INSERT INTO "a ""b" VALUES (1)')
    assert number not in (empty, made("text", 'INSERT INTO "a ""b" VALUES (\'1\')'))
    assert made("more", "CREATE TABLE c (y)").keys() - empty.keys() == {"c"}
