"""Does the guest of the page do what the page says, with the real keeper, Litestream and S3 server?"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest
from keeper_pod import KeeperPod, Workflow, run
from proxied_keeper import through_proxy
from store_proxy import StoreProxy
from test_docs_commands import run as run_shell

from dormouse_operator.dev.seaweedfs import SeaweedFS
from markdown_blocks import REPOSITORY, blocks, write_titled

PAGE = REPOSITORY / "docs" / "guests.md"
SAID = re.compile(r"^(\d+) is safe at (\d+)/", re.MULTILINE)


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    write_titled(PAGE, tmp_path)
    return Workflow(seaweedfs, tmp_path)


async def guest(pod: KeeperPod, last: int, **variables: str) -> Process:
    """`dormouse exec` beside this keeper, with the program of the page."""
    environment = pod.environment()
    del environment["DORMOUSE_PORT"]
    with (pod.workflow.folder / "said").open("ab") as output, (pod.folder / "guest").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dormouse.guest", sys.executable, "tally.py", str(last)),
            cwd=pod.workflow.folder,
            env={
                **environment,
                "DORMOUSE_PORT": "0",
                "DORMOUSE_TERMINATION_LOG": str(pod.folder / "farewell"),
                **variables,
            },
            stdout=output,
            stderr=log,
        )


def said(workflow: Workflow) -> list[tuple[int, int]]:
    """Number and epoch of each line, in their order."""
    return [(int(number), int(epoch)) for number, epoch in SAID.findall((workflow.folder / "said").read_text())]


async def until_said(workflow: Workflow, count: int) -> None:
    async with asyncio.timeout(60):
        while len(said(workflow)) < count:
            await asyncio.sleep(0.02)


async def ended(process: Process) -> int:
    async with asyncio.timeout(60):
        return await process.wait()


def test_killed_and_without_its_volume_it_goes_on_after_the_last_number_that_was_safe(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1).open()
        tally = await guest(first, 1000)
        await until_said(workflow, 5)
        await first.kill()
        assert await ended(tally) == 1
        first.lose_volume()
        before = said(workflow)
        second = await workflow.pod(2).open()
        assert await ended(await guest(second, len(before) + 3)) == 0
        numbers = [number for number, _ in said(workflow)]
        # The one that was on its way when all was killed may be safe without having been said.
        assert numbers[: len(before)] == list(range(1, len(before) + 1))
        assert numbers[len(before)] in (len(before) + 1, len(before) + 2)
        assert said(workflow)[-1] == (len(before) + 3, 2)
        assert (await workflow.current()).state == "Sealed"

    run(story, workflow)


def test_a_guest_that_was_overtaken_is_ended_and_says_nothing_more(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        zombie = await workflow.pod(1).open()
        tally = await guest(zombie, 1000)
        await until_said(workflow, 3)
        successor = await workflow.pod(2).open()
        assert await ended(tally) == 1
        await successor.keeper.barrier()
        spoken = said(workflow)
        assert {epoch for _, epoch in spoken} == {1}
        # What it had said is what the successor has.
        assert await ended(await guest(successor, len(spoken) + 2)) == 0
        numbers = [number for number, _ in said(workflow)]
        assert sorted(set(numbers)) == sorted(numbers)

    run(story, workflow)


@pytest.mark.parametrize("trouble", ["the store is cut off", "the keeper is frozen"])
def test_a_guest_that_is_cut_off_is_ended(workflow: Workflow, trouble: str) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        tally = await guest(pod, 1000, DORMOUSE_FENCE_SECONDS="6")
        await until_said(workflow, 3)
        assert pod.process is not None
        if trouble == "the keeper is frozen":
            pod.process.send_signal(signal.SIGSTOP)
        else:
            proxy.go_down()
        assert await ended(tally) == 1
        assert "OwnershipUnproven" in (pod.folder / "farewell").read_text()

    through_proxy(story, workflow)


def test_the_command_of_the_page_runs_it_to_its_end(tmp_path: Path) -> None:
    write_titled(PAGE, tmp_path)
    (command,) = (block.text for block in blocks(PAGE, "bash"))
    output = run_shell(command, tmp_path)
    assert "tally: epoch 1  Completed" in output
    (log,) = (tmp_path / ".dormouse").rglob("runtime.log")
    assert [number for number, _ in SAID.findall(log.read_text())] == [str(number) for number in range(1, 21)]
