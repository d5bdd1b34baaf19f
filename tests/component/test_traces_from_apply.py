"""Is what leads to the first step one trace, from the operator over the keeper to the runtime, at a real receiver?"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from keeper_pod import KeeperPod, Workflow, free_port
from operator_fleet import Fleet, Tell, telling
from otlp_receiver import Receiver, attributes, is_one_life, receiving

from dormouse_operator.controller.resources import Document
from dormouse_operator.dev.seaweedfs import SeaweedFS

MODULE = """
from dormouse import Signal, activity, workflow

go_on = Signal("go_on")

@activity
async def weigh(item: str) -> int:
    return len(item)

@workflow
async def ship(item: str) -> int:
    grams = await weigh(item)
    await go_on.receive()
    return grams
"""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield made


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def told(pod: Document, container: str) -> dict[str, str]:
    """The plain values of its environment."""
    (found,) = (
        each for part in ("initContainers", "containers") for each in pod["spec"][part] if each["name"] == container
    )
    return {each["name"]: each["value"] for each in found["env"] if "value" in each}


@asynccontextmanager
async def keeper_of(made: Fleet, pod: Document, seaweedfs: SeaweedFS, folder: Path) -> AsyncIterator[KeeperPod]:
    """A real one, told what the operator's pod tells it."""
    kept = ("DORMOUSE_NAMESPACE", "DORMOUSE_NAME", "DORMOUSE_FIRST_CLAIM", "DORMOUSE_STORE_PREFIX")
    environment = {name: value for name, value in told(pod, "litestream").items() if name in kept}
    workflow = Workflow(seaweedfs, folder, uid=made.uid(), name="report")
    keeper = workflow.pod(1, **environment)
    keeper.uid = pod["metadata"]["uid"]
    await keeper.start()
    try:
        yield keeper
    finally:
        await keeper.kill()


@asynccontextmanager
async def runtime_beside(keeper: KeeperPod, pod: Document, **more: str) -> AsyncIterator[None]:
    """A real one on the same volume."""
    (keeper.folder / "pipeline.py").write_text(MODULE)
    own = {
        "PATH": os.environ["PATH"],
        "DORMOUSE_DIRECTORY": str(keeper.volume),
        "DORMOUSE_SOURCE": str(keeper.folder),
        "DORMOUSE_POD_UID": keeper.uid,
        "DORMOUSE_HOST": "127.0.0.1",
        "DORMOUSE_PORT": str(free_port()),
        "DORMOUSE_TERMINATION_LOG": str(keeper.folder / "farewell"),
        "DORMOUSE_TELEMETRY": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        **more,
    }
    with (keeper.folder / "runtime.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dormouse.runtime", env={**told(pod, "runtime"), **own}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def becomes_ready(made: Fleet, pod: str) -> None:
    """As a kubelet says it."""

    def edit(document: Document) -> None:
        at = document["metadata"].setdefault("creationTimestamp", "2026-05-01T12:00:00Z")
        running = {"ready": True, "state": {"running": {"startedAt": at}}}
        document["spec"]["nodeName"] = "node-a"
        document["status"] = {
            "phase": "Running",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": at} for kind in ("PodScheduled", "Ready")
            ],
            "initContainerStatuses": [{"name": "litestream", **running}],
            "containerStatuses": [{"name": "runtime", **running}],
        }

    await made.server.change("pods", pod, edit)


async def received(receiver: Receiver, *names: str) -> list[Any]:
    """The spans of lives, once these are there."""
    async with asyncio.timeout(60):
        while not set(names) <= {span.name for span in receiver.spans}:
            await asyncio.sleep(0.05)
    return [span for span in receiver.spans if "dormouse.dwf" in attributes(span)]


def test_from_apply_to_the_first_step_is_one_trace(
    tell: Tell, receiver: Receiver, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(sends_traces=True):
            await made.apply_store()
            start = {"workflow": "ship", "input": "tea"}
            await made.apply(source={"inline": MODULE}, start=start)
            await made.server.until(lambda: "report-e1" in made.server.names("pods"))
            pod = made.server.get("pods", "report-e1")
            async with keeper_of(made, pod, seaweedfs, tmp_path) as keeper, runtime_beside(keeper, pod):
                await received(receiver, "first step")
                await becomes_ready(made, "report-e1")
                await made.phase("Running")
                spans = await received(receiver, "life", "become ready")
        by_name = {span.name: span for span in spans}
        is_one_life(spans, namespace="team", dwf="report", epoch=1)
        assert {"list pods", "read store"} <= set(by_name)
        assert int(attributes(by_name["restore"])["dormouse.bytes"]) > 0
        assert attributes(by_name["first step"])["dormouse.activity"] == "weigh"
        assert attributes(by_name["schedule pod"])["k8s.node.name"] == "node-a"
        assert receiver.services == {"dormouse-operator", "report"}

    tell(story)


def test_a_life_that_fails_before_it_is_ready_is_a_trace_that_says_so(tell: Tell, receiver: Receiver) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(sends_traces=True):
            await made.apply_store()
            await made.apply()
            await made.server.until(lambda: "report-e1" in made.server.names("pods"))
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            await made.phase("Running")
            async with asyncio.timeout(60):
                while len([span for span in receiver.spans if span.name == "life"]) < 2:
                    await asyncio.sleep(0.05)
        first, second = sorted(
            (span for span in receiver.spans if span.name == "life"),
            key=lambda span: attributes(span)["dormouse.epoch"],
        )
        assert [attributes(span)["dormouse.epoch"] for span in (first, second)] == [1, 2]
        assert first.status.message == "it failed before it was ready"
        assert (second.status.message, second.trace_id == first.trace_id) == ("", False)

    tell(story)


def test_nobody_who_receives_keeps_an_operator_from_working(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")

    async def story(made: Fleet) -> None:
        async with made.operator(sends_traces=True):
            await made.running()

    tell(story)
