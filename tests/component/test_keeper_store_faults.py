"""What does a keeper do when the store misbehaves?"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import h11
import pytest
from keeper_pod import ON_EACH_STORE, Workflow, run
from proxied_keeper import through_proxy
from store_proxy import StoreProxy, writes_of


@pytest.fixture
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Workflow:
    return Workflow(request.getfixturevalue(getattr(request, "param", "seaweedfs")), tmp_path)


async def keys(workflow: Workflow) -> list[str]:
    return [key async for key in workflow.store.keys(workflow.layout.root + "/")]


def test_a_store_that_is_down_at_the_start_is_waited_for(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        proxy.down = True
        pod = await workflow.pod(1).start()
        client = await pod.connect()
        gate = asyncio.create_task(client.gate())
        await pod.logged("trying again")
        assert not gate.done()
        assert await keys(workflow) == []
        proxy.down = False
        assert (await asyncio.wait_for(gate, 60)).epoch == 1

    through_proxy(story, workflow)


def test_a_store_that_goes_down_in_the_middle_blocks_the_barrier_and_loses_nothing(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        proxy.go_down()
        pod.write("while the store is down")
        barrier = asyncio.create_task(pod.keeper.barrier())
        await pod.logged("error")
        assert not barrier.done()
        proxy.down = False
        await asyncio.wait_for(barrier, 60)
        await pod.kill()
        pod.lose_volume()
        assert (await workflow.pod(2).open()).notes() == ["while the store is down"]

    through_proxy(story, workflow)


@ON_EACH_STORE
def test_a_claim_whose_answer_is_lost_still_counts(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        remaining = 2

        def some(request: object) -> bool:
            nonlocal remaining
            if writes_of("/CURRENT")(request) and remaining:  # type: ignore[arg-type]
                remaining -= 1
                return True
            return False

        proxy.lose_answers_of = some
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        current = await workflow.current()
        assert proxy.lost == 2
        assert [entry.epoch for entry in current.lineage] == [1]
        assert current.owner == pod.uid

    through_proxy(story, workflow)


@ON_EACH_STORE
def test_a_seal_whose_answer_is_lost_is_found_to_be_there(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        await pod.keeper.barrier()
        proxy.lose_answers_of = lambda request: writes_of("/CURRENT")(request) and proxy.lost < 1
        position = await pod.keeper.seal("Completed")
        current = await workflow.current()
        assert proxy.lost == 1
        assert position == f"1/{current.entry.sealed_txid}"
        assert current.seal_reason == "Completed"

    through_proxy(story, workflow)


def test_a_store_that_ignores_conditions_is_refused_and_nothing_is_written(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        proxy.unconditional = workflow.raw_store
        refusal = await workflow.pod(1).refusal()
        assert refusal["reason"] == "ConditionalWritesUnsupported"
        assert await keys(workflow) == []

    through_proxy(story, workflow)


def test_an_end_with_the_store_down_uses_its_grace_and_says_what_is_not_safe(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1, DORMOUSE_GRACE_SECONDS="5").open()
        await pod.keeper.barrier()
        proxy.go_down()
        pod.write("not safe")
        assert await pod.terminate() == 1
        farewell = pod.farewell()
        assert farewell["reason"] == "Unsealed"
        assert "no seal in 3 s" in farewell["message"]
        assert "acknowledged is" in farewell["message"]
        assert (await workflow.current()).state == "Active"

    through_proxy(story, workflow)


def test_a_writer_that_meets_errors_keeps_trying(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        proxy.fail = lambda request: request.method == b"PUT" and proxy.failed < 5
        pod.write("note")
        await asyncio.wait_for(pod.keeper.barrier(), 60)
        proxy.fail = None
        await pod.kill()
        assert proxy.failed == 5
        assert (await workflow.pod(2).open()).notes() == ["note"]

    through_proxy(story, workflow)


def test_commits_that_nobody_waits_for_share_uploads_and_one_that_is_waited_for_has_its_own(
    workflow: Workflow,
) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        uploads: list[bytes] = []

        def note(request: h11.Request) -> bool:
            if request.method == b"PUT" and b".ltx" in request.target:
                uploads.append(request.target)
            return False

        await pod.keeper.barrier()
        proxy.fail = note
        for number in range(20):
            pod.write(f"waited for {number}")
            await pod.keeper.barrier()
        assert len(uploads) >= 20

        uploads.clear()
        began = time.monotonic()
        for number in range(100):
            pod.write(f"not waited for {number}")
            await asyncio.sleep(0.02)
        took = time.monotonic() - began  # a slow machine has more of them, one a second
        assert len(uploads) <= 2 * took + 5
        async with asyncio.timeout(60):
            while not uploads:
                await asyncio.sleep(0.02)
        await pod.kill()

    through_proxy(story, workflow)


def test_a_full_volume_is_named(workflow: Workflow) -> None:
    """The volume is a file system of its own, smaller than the database that is restored into it."""

    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1).open()
        first.write("x" * 3_000_000)
        await first.keeper.barrier()
        await first.kill()
        second = workflow.pod(2)
        second.wrapper = (
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
            f'mount -t tmpfs -o size=1m none "{second.volume}" && exec "$@"',
            "sh",
        )
        refusal = await second.refusal()
        assert refusal["reason"] == "DiskFull"
        assert "storage.volume.sizeLimit" in refusal["message"]

    unshare = shutil.which("unshare")
    assert unshare is not None
    subprocess.run([unshare, "--user", "--map-root-user", "--mount", "true"], check=True)
    run(story, workflow)
