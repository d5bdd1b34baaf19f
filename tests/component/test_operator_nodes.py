"""Is a workflow started elsewhere when its node falls silent, and left alone when nobody is heard?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from operator_fleet import Fleet, Tell, telling

from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Time passes fifty times faster for the nodes."""
    monkeypatch.setattr("dormouse_operator.controller.nodes._clock", lambda: asyncio.get_running_loop().time() * 50)
    monkeypatch.setattr("dormouse_operator.controller.nodes._LOOK_SECONDS", 0.02)
    return telling(seaweedfs, request.node.name)


async def renew(made: Fleet, node: str, time: int) -> None:
    metadata = {"name": node, "namespace": "kube-node-lease"}
    await made.server.put("leases", {"metadata": metadata, "spec": {"renewTime": str(time)}})


@asynccontextmanager
async def alive(made: Fleet, *nodes: str) -> AsyncIterator[None]:
    """These kubelets renew."""

    async def renewing() -> None:
        time = 0
        while True:
            time += 1
            for node in nodes:
                await renew(made, node, time)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(renewing())
    try:
        yield
    finally:
        task.cancel()


def test_a_workflow_on_a_node_that_fell_silent_is_started_elsewhere(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        await renew(made, "node-a", 0)
        async with made.operator(), alive(made, "node-b"):
            await made.apply_store()
            await made.apply()
            await made.runs("report-e1")
            await made.server.until(lambda: "report-e2" in made.server.names("pods"))
            required = made.server.get("pods", "report-e2")["spec"]["affinity"]["nodeAffinity"]
            assert "node-a" in str(required)
            assert made.status()["lastFailure"]["reason"] == "NodeLost"

    tell(story)


def test_a_workflow_stays_when_no_node_is_heard_any_more(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            async with alive(made, "node-a", "node-b"):
                await made.running()
            seen = len([each for each in made.server.requests if "kube-node-lease" in each])
            # A hundred looks: forty times as long as a node may be silent.
            await made.server.until(
                lambda: len([each for each in made.server.requests if "kube-node-lease" in each]) > seen + 100
            )
            assert made.server.names("pods") == ["report-e1"]

    tell(story)
