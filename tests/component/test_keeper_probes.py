"""What is a kubelet told of a real keeper: that it hangs, that it is not ready, and why?"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from keeper_pod import KeeperPod, Workflow, free_port, run
from proxied_keeper import through_proxy
from store_proxy import StoreProxy

from dormouse.keeper.client import AlreadySealed
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


def told_its_port(workflow: Workflow, epoch: int = 1) -> KeeperPod:
    return workflow.pod(epoch, DORMOUSE_PORT=str(free_port()))


async def asked(pod: KeeperPod, path: str) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{pod.variables['DORMOUSE_PORT']}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        found: dict[str, Any] = await answer.json()
        return answer.status, found


async def until_ready(pod: KeeperPod, wanted: bool) -> str:
    """Why it is, or is not."""
    async with asyncio.timeout(60):
        while (answer := await asked(pod, "/readyz"))[0] != (200 if wanted else 503):
            await asyncio.sleep(0.05)
    assert answer[1]["ready"] is wanted
    return str(answer[1]["reason"])


def test_one_that_waits_for_its_store_is_healthy_and_not_ready(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        proxy.down = True
        pod = told_its_port(workflow)
        await pod.start()
        gate = asyncio.create_task((await pod.connect()).gate())
        assert await until_ready(pod, wanted=False) == "restoring"
        assert await asked(pod, "/healthz") == (200, {"healthy": True})
        proxy.down = False
        await asyncio.wait_for(gate, 60)
        await pod.keeper.barrier()
        assert await until_ready(pod, wanted=True) == "replicating"
        proxy.go_down()
        pod.write("while the store is down")
        barrier = asyncio.create_task(pod.keeper.barrier())
        assert "store" in await until_ready(pod, wanted=False)
        assert (await asked(pod, "/healthz"))[0] == 200  # to start it again would mend nothing
        proxy.down = False
        await asyncio.wait_for(barrier, 60)
        assert await until_ready(pod, wanted=True) == "replicating"

    through_proxy(story, workflow)


def test_one_whose_life_is_sealed_is_not_ready(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = told_its_port(workflow)
        await pod.open()
        await pod.keeper.seal("Completed")
        await pod.kill()
        await pod.start()
        with pytest.raises(AlreadySealed):
            await (await pod.connect()).gate()
        assert await until_ready(pod, wanted=False) == "this life is sealed"

    run(story, workflow)


def test_one_that_hangs_does_not_answer_and_what_there_is_to_ask_is_named(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = told_its_port(workflow)
        await pod.open()
        assert pod.process is not None
        pod.process.send_signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asked(pod, "/healthz")
        pod.process.send_signal(signal.SIGCONT)
        assert (await asked(pod, "/healthz"))[0] == 200
        assert await asked(pod, "/") == (404, {"error": "there are /healthz, /readyz, /status and /metrics"})

    run(story, workflow)
