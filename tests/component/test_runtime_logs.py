"""Does the process write the log that it was told to write, and nothing twice after a kill?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from runtime_pod import RuntimePod

MODULE = """
import asyncio
import logging
from dormouse import RetryPolicy, Signal, activity, activity_info, workflow

log = logging.getLogger("shop")
go_on = Signal("go_on")

@activity(retry=RetryPolicy(initial_seconds=0))
def pack(item: str) -> str:
    log.info("packs", extra={"item": item})
    if activity_info().attempt == 1:
        raise ConnectionError("no paper")
    return item

@workflow
async def ship(item: str) -> str:
    log.info("begins")
    await go_on.receive()
    return await pack(item)
"""


def written(pod: RuntimePod) -> list[dict[str, Any]]:
    return [json.loads(line) for line in pod.output.read_text().splitlines()]


async def waits_for_the_signal(pod: RuntimePod) -> bool:
    return bool((await pod.get("/v1/executions/one"))[1].get("waitsFor"))


def test_each_line_is_json_and_none_is_written_again_after_a_kill(tmp_path: Path) -> None:
    async def live() -> list[dict[str, Any]]:
        async with RuntimePod(tmp_path, MODULE, DORMOUSE_LOG_FORMAT="json") as pod:
            await pod.start()
            await pod.ready()
            await pod.post({"workflow": "ship", "id": "one", "input": "tea"})
            await pod.until(lambda: waits_for_the_signal(pod))
            await pod.kill()
            await pod.start()
            await pod.ready()
            await pod.request("POST", "/v1/executions/one/signals/go_on")
            await pod.get("/v1/executions/one/result?wait=20")
            pod.terminate()
            await pod.ended()
            return written(pod)

    lines = asyncio.run(live())
    assert all((line["namespace"], line["dwf"], line["epoch"]) == ("default", "test", 3) for line in lines)
    shop = [dict(list(line.items())[2:]) for line in lines if line["logger"] == "shop"]  # without time and level
    pod = {"namespace": "default", "dwf": "test", "epoch": 3}
    whose = {**pod, "execution": "one", "workflow": "ship"}
    packs = {"logger": "shop", "message": "packs", **whose, "activity": "pack"}
    assert shop == [
        {"logger": "shop", "message": "begins", **whose},
        {**packs, "attempt": 1, "item": "tea"},
        {**packs, "attempt": 2, "item": "tea"},
    ]
    (failed,) = [line for line in lines if line["logger"] == "dormouse.activity"]
    assert failed["level"] == "WARNING"
    assert (failed["execution"], failed["activity"], failed["attempt"]) == ("one", "pack", 1)
    assert sum("is open" in line["message"] for line in lines) == 2


def test_a_format_that_is_not_known_ends_the_pod_with_its_name(tmp_path: Path) -> None:
    async def live() -> tuple[int, dict[str, Any]]:
        async with RuntimePod(tmp_path, MODULE, DORMOUSE_LOG_FORMAT="xml") as pod:
            await pod.start()
            return await pod.ended()

    code, farewell = asyncio.run(live())
    assert (code, farewell["reason"]) == (1, "InvalidSettings")
    assert "DORMOUSE_LOG_FORMAT must be one of text, json" in farewell["message"]
