"""Do both clients ask for the same, and give what was answered its type?"""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import dormouse.client
from dormouse import Approval, Query, Signal, Update, workflow
from dormouse.client import AsyncClient, AsyncHandle, Client, Handle, Unreachable
from dormouse.client.refusals import refusal

VIEW = {"id": "a", "workflow": "numbers", "status": "Completed", "startedAt": "2030-01-01T00:00:00.000Z"}
add = Signal("add", int)
sums = Query("sums", tuple[int, ...])
pay = Approval("pay", int)
double = Update("double", int, tuple[int, ...])
Asked = list[tuple[str, str, dict[str, str], bytes, str | None]]


@workflow
async def numbers() -> tuple[int, ...]:
    return (1, 2)


def answering(asked: Asked) -> httpx.MockTransport:
    """A runtime that remembers what it was asked."""

    def answer(request: httpx.Request) -> httpx.Response:
        key = request.headers.get("idempotency-key")
        asked.append((request.method, request.url.path, dict(request.url.params), request.content, key))
        return httpx.Response(200, text=json.dumps({**VIEW, "result": [1, 2], "events": [], "approvals": []}))

    return httpx.MockTransport(answer)


ASKING: dict[str, Callable[[Any], Any]] = {
    "result": lambda handle: handle.result(timeout=0),
    "show": lambda handle: handle.show(),
    "history": lambda handle: handle.history(),
    "signal": lambda handle: handle.signal(add, 3, idempotency_key="key"),
    "signal by name": lambda handle: handle.signal("add"),
    "query": lambda handle: handle.query(sums),
    "update": lambda handle: handle.update(double, 3, idempotency_key="key", timeout=0),
    "approvals": lambda handle: handle.approvals(),
    "approve": lambda handle: handle.approve(pay, "digest", by="ada", reason="fair"),
    "reject": lambda handle: handle.reject("pay", "digest", by="ada"),
    "cancel": lambda handle: handle.cancel("enough"),
    "terminate": lambda handle: handle.terminate(),
    "retry": lambda handle: handle.retry(),
    "resume": lambda handle: handle.resume(),
}


@pytest.mark.parametrize("name", ASKING)
def test_both_clients_ask_the_same_and_give_the_same(name: str) -> None:
    asked: Asked = []
    with Client("http://runtime", transport=answering(asked)) as client:
        answer = ASKING[name](client.handle("a", numbers))

    async def ask() -> Any:
        async with AsyncClient("http://runtime", transport=answering(asked)) as client:
            return await ASKING[name](client.handle("a", numbers))

    assert asyncio.run(ask()) == answer
    first, second = asked
    assert first == second
    assert answer == (1, 2) or name not in ("result", "query", "update")


def test_both_handles_have_the_same_parameters() -> None:
    def signatures(kind: type) -> dict[str, list[str]]:
        methods = {name: one for name, one in vars(kind).items() if not name.startswith("_")}
        return {name: list(inspect.signature(one).parameters) for name, one in methods.items()}

    assert signatures(Handle) == signatures(AsyncHandle)
    assert set(signatures(Handle)) == {name.partition(" ")[0] for name in ASKING}


def test_nobody_there_is_said_to_be_that() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable, match="is the runtime there"):
        client.handle("a").cancel()


def test_all_that_the_module_offers_can_be_had() -> None:
    assert all(getattr(dormouse.client, name) for name in dormouse.client.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Clients'"):
        dormouse.client.Clients  # noqa: B018 - it is read for what it raises


def test_a_refusal_keeps_the_words_of_the_runtime() -> None:
    refused = refusal(422, b'{"error": {"reason": "InvalidInput", "message": "no tea"}}')
    assert (type(refused).__name__, str(refused)) == ("InvalidInput", "no tea")


def test_without_the_extra_it_says_what_to_install_and_what_needs_no_http_is_there() -> None:
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "from dormouse.client import Execution\nprint(Execution.__name__)\nfrom dormouse.client import Client"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (1, "ExecutionView\n")
    assert "dormouse.client needs the module 'httpx': pip install '/path/to/dormouse[client]'" in ran.stderr
