"""Do the spans of a runtime reach an OTLP receiver over HTTP, as one trace over two lives?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from otlp_receiver import Receiver, attributes, receiving
from runtime_pod import RuntimePod

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MODULE = """
from opentelemetry import trace
from dormouse import RetryPolicy, Signal, activity, activity_info, workflow

go_on = Signal("go_on")

@activity(retry=RetryPolicy(initial_seconds=0))
def pack(item: str) -> str:
    with trace.get_tracer("shop").start_as_current_span("wrap"):
        if activity_info().attempt == 1:
            raise ConnectionError("no paper")
        return item

@activity
async def weigh(item: str) -> int:
    return len(item)

@workflow
async def ship(item: str) -> str:
    await weigh(item)
    await go_on.receive()
    return await pack(item)
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


async def waits_for_the_signal(pod: RuntimePod) -> bool:
    waits = (await pod.get("/v1/executions/one"))[1].get("waitsFor", [])
    return [one["kind"] for one in waits] == ["signal"]


def test_a_trace_goes_on_in_the_next_life_and_is_sent_once(tmp_path: Path, receiver: Receiver) -> None:
    environment = {
        "DORMOUSE_TELEMETRY": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }

    async def live() -> None:
        async with RuntimePod(tmp_path, MODULE, **environment) as pod:
            await pod.start()
            await pod.ready()
            started = {"workflow": "ship", "id": "one", "input": "tea"}
            await pod.post(started, traceparent=f"00-{TRACE}-{CALLER}-01")
            await pod.until(lambda: waits_for_the_signal(pod))
            async with asyncio.timeout(60):
                while not {"weigh", "first step"} <= {span.name for span in receiver.spans}:
                    await asyncio.sleep(0.02)
            await pod.kill()
            await pod.start()
            await pod.ready()
            await pod.request("POST", "/v1/executions/one/signals/go_on")
            assert (await pod.get("/v1/executions/one/result?wait=20"))[1]["result"] == "tea"
            pod.terminate()
            await pod.ended()

    asyncio.run(live())
    of_lives = [span for span in receiver.spans if "dormouse.dwf" in attributes(span)]
    of_executions = [span for span in receiver.spans if span not in of_lives]
    by_name: dict[str, list[Any]] = {}
    for span in of_executions:
        by_name.setdefault(span.name, []).append(span)
    assert {name: len(found) for name, found in by_name.items()} == {"weigh": 1, "wrap": 2, "pack": 2, "ship": 1}
    assert {span.trace_id.hex() for span in of_executions} == {TRACE}
    (ship,), (weigh,) = by_name["ship"], by_name["weigh"]
    assert ship.parent_span_id.hex() == CALLER
    assert {span.parent_span_id for span in (weigh, *by_name["pack"])} == {ship.span_id}
    assert [span.parent_span_id for span in by_name["wrap"]] == [span.span_id for span in by_name["pack"]]
    assert receiver.services == {"test"}
    # Each process of this life said how it began, and that alone: a keeper that tells no steps has none made up.
    began = [span.name for span in of_lives]
    own = ["runtime", "import", "gate", "open file", "replay", "life", "first step"]
    assert sorted(began) == sorted(own * 2)
    assert len({span.trace_id for span in of_lives}) == 1
    assert {span.span_id for span in of_lives if span.name == "life"} == {
        span.parent_span_id for span in of_lives if span.name == "runtime"
    }


def test_a_receiver_that_is_not_there_keeps_nobody_from_working_or_ending(tmp_path: Path) -> None:
    environment = {"DORMOUSE_TELEMETRY": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    start = {"DORMOUSE_START_WORKFLOW": "weighs", "DORMOUSE_START_INPUT": '"tea"'}
    module = f"{MODULE}\n@workflow\nasync def weighs(item: str) -> int:\n    return await weigh(item)\n"

    async def live() -> tuple[int, dict[str, Any]]:
        async with RuntimePod(tmp_path, module, **environment, **start) as pod:
            await pod.start()
            return await pod.ended()

    code, farewell = asyncio.run(live())
    assert (code, farewell["reason"], farewell["output"]) == (0, "Completed", "3")
