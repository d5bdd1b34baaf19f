"""Does a runtime that is cut off begin nothing more, with the real keeper, Litestream and S3 server?"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path

import pytest
from keeper_pod import KeeperPod, Workflow
from proxied_keeper import through_proxy
from store_proxy import StoreProxy

from dormouse_operator.dev.seaweedfs import SeaweedFS

MODULE = """
from pathlib import Path
from dormouse import RetryPolicy, activity, workflow

HERE = Path(__file__).parent

@activity(retry=RetryPolicy(initial_seconds=0.01, factor=1.0, jitter=0.0))
def knock(epoch: int) -> int:
    with (HERE / "knocks").open("a") as knocks:
        knocks.write("knock\\n")
    if not (HERE / "open").exists():
        raise OSError("nobody opens")
    return epoch

@workflow
async def visit() -> int:
    return await knock(1)
"""


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    (tmp_path / "user.py").write_text(MODULE)
    return Workflow(seaweedfs, tmp_path)


def knocks(workflow: Workflow) -> int:
    file = workflow.folder / "knocks"
    return len(file.read_text().split()) if file.exists() else 0


async def runtime(pod: KeeperPod) -> Process:
    with (pod.folder / "runtime").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dormouse.runtime"),
            env={
                **pod.environment(),
                "DORMOUSE_ENTRYPOINT": "user",
                "DORMOUSE_SOURCE": str(pod.workflow.folder),
                "DORMOUSE_START_WORKFLOW": "visit",
                "DORMOUSE_TERMINATION_LOG": str(pod.folder / "farewell"),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=log,
            stderr=log,
        )


async def until_it_knocks(workflow: Workflow, more_than: int) -> None:
    async with asyncio.timeout(60):
        while knocks(workflow) <= more_than:
            await asyncio.sleep(0.02)


def test_a_runtime_that_is_cut_off_knocks_no_more_once_its_successor_does(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        zombie = await workflow.pod(1).open()
        zombies = await runtime(zombie)
        try:
            await until_it_knocks(workflow, 3)
            known = len((zombie.folder / "log").read_text())
            proxy.go_down()
            async with asyncio.timeout(60):
                while "watching CURRENT:" not in (zombie.folder / "log").read_text()[known:]:
                    await asyncio.sleep(0.02)
            successor = await workflow.pod(2, DORMOUSE_STORE_ENDPOINT=workflow.server.endpoint).open()
            before = knocks(workflow)
            await successor.keeper.barrier()
            proxy.down = False
            async with asyncio.timeout(60):
                assert await zombies.wait() == 1
            assert '"Fenced"' in (zombie.folder / "farewell").read_text()
            assert knocks(workflow) == before
            (workflow.folder / "open").touch()
            async with asyncio.timeout(60):
                assert await (await runtime(successor)).wait() == 0
            assert knocks(workflow) == before + 1
        finally:
            with suppress(ProcessLookupError):
                zombies.kill()

    through_proxy(story, workflow)
