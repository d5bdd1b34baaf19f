"""What does the keeper answer a guest? The lines of docs/guests.md, over the real socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from keeper_pod import KeeperPod, Workflow, run
from proxied_keeper import through_proxy
from store_proxy import StoreProxy

from dormouse.keeper.wire import short_path
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def workflow(seaweedfs: SeaweedFS, tmp_path: Path) -> Workflow:
    return Workflow(seaweedfs, tmp_path)


async def connect(pod: KeeperPod) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    with short_path(pod.volume / "run" / "keeper.sock") as name:
        return await asyncio.open_unix_connection(name)


async def ask(pod: KeeperPod, op: str, **fields: object) -> dict[str, Any]:
    """One line there, one back, on a connection of its own."""
    reader, writer = await connect(pod)
    try:
        writer.write(json.dumps({"v": 1, "id": "mine", "op": op, **fields}).encode() + b"\n")
        async with asyncio.timeout(60):
            while "id" not in (answer := json.loads(await reader.readline())):
                assert answer["event"] == "fenced"
    finally:
        writer.close()
    assert answer["id"] == "mine"
    return dict(answer)


def test_ownership_is_read_again_only_when_the_last_time_is_longer_ago(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        first = await ask(pod, "ownership")
        assert (first["ok"], first["epoch"]) == (True, 1)
        proxy.go_down()
        assert (await ask(pod, "ownership", within=3600))["ok"]
        refused = await ask(pod, "ownership")
        assert (refused["ok"], refused["error"]) == (False, "OwnershipUnproven")
        assert "last read" in refused["message"]
        later = await ask(pod, "ownership", within=3600)
        assert later["secondsAgo"] > first["secondsAgo"]

    through_proxy(story, workflow)


def test_whoever_was_overtaken_is_told_so(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        zombie = await workflow.pod(1).open()
        reader, writer = await connect(zombie)
        await workflow.pod(2).open()
        try:
            refused = await ask(zombie, "ownership")
        except (OSError, ValueError):  # it has seen that itself meanwhile, and ended
            assert await zombie.wait() == 1
        else:
            assert (refused["ok"], refused["error"]) == (False, "Fenced")
        async with asyncio.timeout(60):
            unasked = json.loads(await reader.readline())
        assert unasked["event"] == "fenced"
        writer.close()

    run(story, workflow)


def test_a_barrier_waits_no_longer_than_it_was_told(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1).open()
        assert (await ask(pod, "barrier", timeout=60))["position"].startswith("1/")
        proxy.go_down()
        pod.write("only here")
        refused = await ask(pod, "barrier", timeout=0.5)
        assert (refused["ok"], refused["error"]) == (False, "NotSafeYet")
        assert refused["message"].startswith("not in the store after 0.5 s")

    through_proxy(story, workflow)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"op": "ownership", "within": -1}, "within must be a number of seconds"),
        ({"op": "ownership", "within": "soon"}, "within must be a number of seconds"),
        ({"op": "barrier", "timeout": True}, "timeout must be a number of seconds"),
        ({"op": "barrier", "v": 2}, "version 2 is not spoken here, 1 is"),
        ({"op": "barier"}, "unknown operation 'barier'; there are gate, barrier, ownership"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(workflow: Workflow, fields: dict[str, Any], words: str) -> None:
    async def story(workflow: Workflow) -> None:
        refused = await ask(await workflow.pod(1).open(), **fields)
        assert (refused["ok"], refused["error"]) == (False, "BadRequest")
        assert words in refused["message"]

    run(story, workflow)
