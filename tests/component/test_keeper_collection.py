"""Do real keepers remove what nobody needs any more, and nothing else? With real Litestream and a real S3 server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from keeper_pod import KeeperPod, Workflow, run
from proxied_keeper import through_proxy
from store_proxy import StoreProxy

from dormouse.replica.layout import epoch_of
from dormouse_operator.dev.seaweedfs import SeaweedFS

AT_ONCE = {"DORMOUSE_RETENTION_SECONDS": "0"}


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


async def stored_epochs(workflow: Workflow) -> set[int]:
    return {epoch_of(key) or 0 async for key in workflow.store.keys(workflow.layout.epochs)}


async def until_stored(workflow: Workflow, epochs: set[int]) -> None:
    async with asyncio.timeout(60):
        while await stored_epochs(workflow) != epochs:
            await asyncio.sleep(0.05)


async def life(workflow: Workflow, epoch: int, **variables: str) -> KeeperPod:
    pod = await workflow.pod(epoch, **variables).open()
    pod.write(f"in epoch {epoch}")
    await pod.keeper.barrier()
    return pod


def test_the_newest_life_leaves_itself_and_what_it_began_from(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        for epoch in (1, 2):
            await (await life(workflow, epoch)).terminate()
        assert await stored_epochs(workflow) == {1, 2}
        third = await life(workflow, 3, **AT_ONCE)
        await until_stored(workflow, {2, 3})
        assert [entry.epoch for entry in (await workflow.current()).lineage] == [2, 3]
        await third.kill()
        third.lose_volume()
        fourth = await workflow.pod(4).open()
        assert fourth.notes() == ["in epoch 1", "in epoch 2", "in epoch 3"]

    run(story, workflow)


def test_what_a_crash_between_prune_and_removal_left_is_removed_by_the_next_life(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        await (await life(workflow, 1)).terminate()
        await (await life(workflow, 2)).terminate()
        left = f"{workflow.layout.epoch(1, 'another-pod')}/0000/0000000000000001-0000000000000001.ltx"
        await workflow.store.put(left, b"no lineage names it", None)
        foreign = f"{workflow.layout.epochs}notes.txt"
        await workflow.store.put(foreign, b"nobody knows what this is", None)
        third = await life(workflow, 3, **AT_ONCE)
        async with asyncio.timeout(60):
            while await workflow.store.exists(left):
                await asyncio.sleep(0.05)
        await third.terminate()
        assert await workflow.store.exists(foreign)

    run(story, workflow)


def test_a_life_that_changed_nothing_leaves_no_copy_behind_however_young_it_is(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        await (await life(workflow, 1)).terminate()
        for epoch in (2, 3):
            idle = await workflow.pod(epoch).open()
            await idle.keeper.barrier()
            await idle.terminate()
        fourth = await life(workflow, 4)
        await until_stored(workflow, {1, 4})
        first, newest = (await workflow.current()).lineage
        assert newest.base is not None
        assert (first.epoch, newest.epoch, newest.base.prefix) == (1, 4, first.prefix)
        await fourth.kill()
        fourth.lose_volume()
        fifth = await workflow.pod(5).open()
        assert fifth.notes() == ["in epoch 1", "in epoch 4"]

    run(story, workflow)


def test_a_store_that_removes_nothing_does_not_disturb_a_life(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        for epoch in (1, 2):
            await (await life(workflow, epoch)).terminate()
        proxy.fail = lambda request: request.method == b"DELETE" or request.target.endswith(b"?delete")
        third = await life(workflow, 3, **AT_ONCE)
        await third.logged("removing old epochs")
        third.write("and goes on")
        await third.keeper.barrier()
        assert await third.terminate() == 0
        assert await stored_epochs(workflow) == {1, 2, 3}

    through_proxy(story, workflow)
