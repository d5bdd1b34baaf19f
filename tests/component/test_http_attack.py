"""Does the HTTP API keep its word, whatever it is sent? Attacked with what its own document allows and forbids."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from runtime_pod import RuntimePod

from dormouse.runtime.openapi import document
from dormouse.runtime.routes import ROUTES

MODULE = """
import asyncio
from dataclasses import dataclass
from dormouse import Approval, Query, RetryPolicy, Signal, Update, activity, workflow

note = Signal("note", str)
ping = Signal("ping")
count = Query("count", int)
broken = Query("broken", int)
add = Update("add", int, int)

@dataclass
class Order:
    item: str
    count: int = 1

@activity
async def pack(order: Order) -> str:
    return f"{order.count} {order.item}"

@activity(retry=RetryPolicy(initial_seconds=3600, maximum_seconds=3600))
async def shaky() -> None:
    raise ConnectionError("not yet")

@workflow
async def ship(order: Order) -> str:
    return await pack(order)

@workflow
async def try_hard() -> None:
    await shaky()

@workflow
async def fail() -> None:
    raise ValueError("no luck")

pay = Approval("pay", Order)

@workflow
async def buy() -> str:
    return (await pay.request(Order("tea"), within_seconds=86400)).outcome

def check(number: int) -> None:
    if number < 0:
        raise ValueError("not below 0")

@workflow
async def talk() -> int:
    total = 0

    def more(number: int) -> int:
        nonlocal total
        total += number
        return 100 // (total - 3)

    count.answer(lambda: total)
    broken.answer(lambda: 1 // 0)
    add.answer(more, check=check)
    while True:
        await note.receive()
"""
STARTS: tuple[dict[str, Any], ...] = (
    {"workflow": "ship", "id": "shipped", "input": {"item": "tea"}},
    {"workflow": "try_hard", "id": "trying"},
    {"workflow": "fail", "id": "failed"},
    {"workflow": "talk", "id": "talking"},
    {"workflow": "buy", "id": "buying"},
)
# Half of the requests are about names that mean something here. Which values fit is the workflow's business, so also
# what the document allows may be refused as unfit.
CONFIG = """
seed = 1
workers = 1

[generation]
max-examples = 25
database = "none"

[dictionaries]
executions.values = ["shipped", "trying", "failed", "talking", "buying"]
messages.values = ["note", "ping", "count", "broken", "add", "pay"]
moments.values = [0, 0.01]
workflows.values = ["ship", "try_hard", "fail", "talk", "buy"]

[parameters]
"path.execution" = {dictionary = "executions", probability = 0.5}
"path.name" = {dictionary = "messages", probability = 0.5}
"body.workflow" = {dictionary = "workflows", probability = 0.5}
"query.wait" = {dictionary = "moments", probability = 1.0}

[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 404, 409, 422]
"""


@pytest.mark.timeout(330)
def test_nothing_that_it_is_sent_breaks_it_or_its_word(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)

    async def live() -> subprocess.CompletedProcess[str]:
        async with RuntimePod(tmp_path, MODULE) as pod:
            await pod.start()
            await pod.ready()
            for start in STARTS:
                assert (await pod.post(start))[0] == 201
            return await asyncio.to_thread(attack, f"http://127.0.0.1:{pod.port}/openapi.json", tmp_path)

    ran = asyncio.run(live())
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"Tested: {len(ROUTES) - 1}" in ran.stdout, "all but the document itself"


def test_the_document_is_openapi() -> None:
    schemathesis.openapi.from_dict(json.loads(document())).validate()


def attack(document: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", document]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


NO_PATHS = ("//[", "http://[x/nothing", "/%ff", "/v1/executions/%2F", "*", "/a%00b", "//status")


@pytest.mark.parametrize("target", NO_PATHS)
def test_a_target_that_is_no_path_of_ours_is_refused(tmp_path: Path, target: str) -> None:
    async def live() -> tuple[int, str, bytes]:
        async with RuntimePod(tmp_path, MODULE) as pod:
            await pod.start()
            await pod.ready()
            return await pod.raw("GET", target)

    status, _, body = asyncio.run(live())
    assert (status, json.loads(body)["error"]["reason"]) in [(404, "UnknownPath"), (404, "UnknownExecution")]
