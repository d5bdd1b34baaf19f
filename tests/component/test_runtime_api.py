"""What does the runtime answer over HTTP, also to what is wrong?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from runtime_pod import EPOCH, RuntimePod

MODULE = """
import asyncio
from dataclasses import dataclass
from dormouse import Approval, RetryPolicy, activity, workflow

@dataclass
class Order:
    item: str
    count: int = 1

@activity
async def pack(order: Order) -> str:
    return f"{order.count} {order.item}"

@workflow
async def ship(order: Order) -> str:
    return await pack(order)

@workflow
async def nap(seconds: float = 600) -> float:
    await asyncio.sleep(seconds)
    return seconds

@workflow
async def fail() -> None:
    raise ValueError("no luck")

@activity(retry=RetryPolicy(initial_seconds=3600, maximum_seconds=3600))
async def shaky() -> None:
    raise ConnectionError("not yet")

@workflow
async def try_hard() -> None:
    await shaky()

pay = Approval("pay", Order)

@workflow
async def buy() -> str:
    decision = await pay.request(Order("tea"), within_seconds=3600)
    return f"{decision.outcome} by {decision.by}, {decision.reason}"
"""
BUY = "/v1/executions/buying/approvals/pay"
TEA = {"workflow": "ship", "input": {"item": "tea", "count": 2}}


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[Callable[[RuntimePod], Awaitable[None]]], None]:
    def run(scenario: Callable[[RuntimePod], Awaitable[None]]) -> None:
        async def live() -> None:
            async with RuntimePod(tmp_path, MODULE) as pod:
                await pod.start()
                await pod.ready()
                await scenario(pod)

        asyncio.run(live())

    return run


Ask = Callable[[Callable[[RuntimePod], Awaitable[None]]], None]


def test_an_execution_from_its_start_to_its_result(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        status, started = await pod.post(TEA | {"id": "tea"})
        assert (status, started["id"], started["workflow"]) == (201, "tea", "ship")
        status, ended = await pod.get("/v1/executions/tea/result?wait=20")
        assert (status, ended["status"], ended["result"]) == (200, "Completed", "2 tea")
        assert (await pod.get("/v1/executions/tea"))[1]["closedAt"] == ended["closedAt"]
        assert [one["id"] for one in (await pod.get("/v1/executions"))[1]["executions"]] == ["tea"]
        events = (await pod.get("/v1/executions/tea/events"))[1]["events"]
        kinds = ["ExecutionStarted", "ActivityScheduled", "ActivityCompleted", "ExecutionCompleted"]
        assert [one["kind"] for one in events] == kinds
        later = (await pod.get(f"/v1/executions/tea/events?after={events[1]['position']}&limit=1"))[1]["events"]
        assert later == events[2:3]

    ask(scenario)


def test_a_failed_execution_says_why(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.post({"workflow": "fail", "id": "f"})
        status, ended = await pod.get("/v1/executions/f/result?wait=20")
        assert (status, ended["status"]) == (200, "Failed")
        assert ended["error"] == {"type": "ValueError", "message": "no luck", "source": "user.py:26"}
        assert (await pod.get("/v1/executions/f"))[1] == ended
        assert "ERROR dormouse.execution execution f failed: ValueError: no luck (user.py:26)" in pod.output.read_text()

    ask(scenario)


def test_an_open_execution_says_what_it_waits_for(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.post({"workflow": "nap", "id": "n"})
        await pod.post({"workflow": "try_hard", "id": "t"})
        (timer,) = (await pod.get("/v1/executions/n"))[1]["waitsFor"]
        assert timer.keys() == {"kind", "dueAt", "source"}
        assert (timer["kind"], timer["source"]) == ("timer", "user.py:21")

        async def has_failed_once() -> bool:
            return any("dueAt" in one for one in (await pod.get("/v1/executions/t"))[1]["waitsFor"])

        await pod.until(has_failed_once)
        (call,) = (await pod.get("/v1/executions/t"))[1]["waitsFor"]
        assert (call["kind"], call["name"], call["attempt"]) == ("activity", "shaky", 2)
        assert call["lastError"] == {"type": "ConnectionError", "message": "not yet", "source": "user.py:30"}

        await pod.kill()
        await pod.start()
        await pod.ready()
        assert (await pod.get("/v1/executions/t"))[1]["waitsFor"] == [call]
        await pod.post({"workflow": "fail", "id": "f"})
        assert "waitsFor" not in (await pod.get("/v1/executions/f/result?wait=20"))[1]

    ask(scenario)


def test_a_list_is_read_page_by_page(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        for number in range(5):
            await pod.post({"workflow": "nap", "id": str(number)})
        pages, query = [], "limit=2"
        while query:
            page = (await pod.get(f"/v1/executions?{query}"))[1]
            pages.append([one["id"] for one in page["executions"]])
            query = f"limit=2&after={page['next']}" if "next" in page else ""
        assert pages == [["4", "3"], ["2", "1"], ["0"]]
        assert "next" not in (await pod.get("/v1/executions?limit=5"))[1]

    ask(scenario)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/v1/executions?limt=3", "after, limit, status, workflow"),
        ("/v1/executions/x?wait=3", "none"),
        ("/v1/executions/x/result?Wait=3", "wait"),
        ("/v1/executions/x/events?limit=3&before=2", "after, limit"),
        ("/status?verbose", "none"),
    ],
)
def test_a_parameter_that_the_path_does_not_know_is_refused(ask: Ask, path: str, known: str) -> None:
    async def scenario(pod: RuntimePod) -> None:
        status, answer = await pod.get(path)
        assert (status, answer["error"]["reason"]) == (400, "UnknownParameter")
        assert answer["error"]["message"].endswith(f"the parameters of this path are: {known}")

    ask(scenario)


def test_an_open_execution_has_no_result_yet(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.post({"workflow": "nap", "id": "n"})
        for query in ("", "?wait=0.01"):
            status, answer = await pod.get(f"/v1/executions/n/result{query}")
            assert (status, answer["status"]) == (202, "Open")

    ask(scenario)


async def rests(pod: RuntimePod) -> bool:
    return (await pod.get("/status"))[1]["idleSince"] is not None


def test_status_says_what_is_going_on_and_when_it_wakes(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        status, before = await pod.get("/status")
        assert (status, before["open"], before["epoch"], before["nextWakeAt"]) == (200, 0, EPOCH, None)
        await pod.post({"workflow": "nap"})
        await pod.until(lambda: rests(pod))
        after = (await pod.get("/status"))[1]
        assert (after["open"], after["sleeping"], after["running"]) == (1, 1, 0)
        assert after["nextWakeAt"] > after["idleSince"]
        assert after["canHibernate"] is True

    ask(scenario)


def test_the_same_key_and_body_give_the_same_execution(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        (first, one), (second, other) = await asyncio.gather(*(pod.post(TEA, Idempotency_Key="k") for _ in range(2)))
        assert sorted((first, second)) == [200, 201]
        assert one["id"] == other["id"]
        spaced = json.dumps(TEA, indent=3).encode()
        assert (await pod.request("POST", "/v1/executions", spaced, Idempotency_Key="k"))[0] == 200

    ask(scenario)


def test_the_same_key_with_another_body_is_a_conflict(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.post(TEA, Idempotency_Key="k")
        status, answer = await pod.post({"workflow": "nap"}, Idempotency_Key="k")
        assert (status, answer["error"]["reason"]) == (409, "RequestConflict")

    ask(scenario)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[]", 422, "Expected `object`"),
        (b"{}", 422, "missing required field `workflow`"),
        (b'{"workflow":"nap","inputs":3}', 422, "unknown field `inputs`"),
        (b'{"workflow":3}', 422, "$.workflow"),
        (b'{"workflow":"walk"}', 404, "there are: ship, nap, fail, try_hard, buy"),
        (b'{"workflow":"ship"}', 422, "ship needs an input"),
        (b'{"workflow":"fail","input":1}', 422, "fail takes no input"),
        (b'{"workflow":"ship","input":{"item":"tea","count":"two"}}', 422, "`$.count`"),
        (b'{"workflow":"ship","input":{"item":"tea","cout":2}}', 422, "`$.cout`; did you mean `count`?"),
        (b'{"workflow":"ship","input":{"count":2}}', 422, "missing required field `item`"),
        (b'{"workflow":"nap","id":"a/b"}', 422, "cannot be an id"),
    ],
)
def test_a_wrong_request_is_refused_with_what_is_wrong(ask: Ask, body: bytes, status: int, message: str) -> None:
    async def scenario(pod: RuntimePod) -> None:
        answered, answer = await pod.request("POST", "/v1/executions", body)
        assert answered == status
        assert message in answer["error"]["message"]
        assert (await pod.get("/v1/executions"))[1] == {"executions": []}

    ask(scenario)


def test_wrong_paths_methods_and_queries_are_refused(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        wrong: list[tuple[str, str, int]] = [
            ("GET", "/v2/executions", 404),
            ("GET", "/v1/executions/nobody", 404),
            ("GET", "/v1/executions/nobody/result", 404),
            ("GET", "/v1/executions/nobody/events", 404),
            ("DELETE", "/v1/executions", 405),
            ("POST", "/status", 405),
            ("GET", "/v1/executions?limit=many", 422),
            ("GET", "/v1/executions?status=Done", 422),
            ("GET", "/v1/executions?workflow=nothing", 404),
            ("GET", "/v1/executions?limit=-1", 422),
            ("GET", "/v1/executions?limit=nan", 422),
            ("GET", "/v1/executions?after=-1", 422),
            ("GET", "/v1/executions?after=99999999999999999999", 422),
            ("GET", "/v1/executions?limit=1_0", 422),
            ("GET", "/v1/executions?limit=1.5", 422),
            ("GET", "/v1/executions?limit=0", 422),
            ("GET", "/v1/executions/nobody/events?after=inf", 422),
            ("GET", "/v1/executions/nobody/result?wait=1e999", 422),
        ]
        for method, path, status in wrong:
            answered, answer = await pod.request(method, path)
            assert (path, answered) == (path, status)
            assert answer["error"]["message"]

    ask(scenario)


def test_what_is_too_large_is_refused(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        large = json.dumps({"workflow": "nap", "id": "n" * 1_100_000}).encode()
        assert (await pod.request("POST", "/v1/executions", large))[0] == 413
        assert (await pod.raw("GET", "/" + "a" * 10_000))[0] == 414
        assert (await pod.raw("GET", "/", X_Large="a" * 400_000))[0] == 431
        assert (await pod.get("/readyz"))[0] == 200

    ask(scenario)


def test_what_is_not_http_is_refused_and_others_are_not_disturbed(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        async with pod.connected() as (reader, writer):
            writer.write(b"\x16\x03\x01 this is no http\r\n\r\n")
            assert b"400" in (await reader.read()).split(b"\r\n")[0]
        assert (await pod.get("/readyz"))[0] == 200

    ask(scenario)


def test_one_connection_serves_many_requests_also_sent_at_once(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        async with pod.connected() as (reader, writer):
            head = b"GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n"
            writer.write(head * 3)
            for _ in range(3):
                answer = await reader.readuntil(b'{"ok":true}\n')
                assert answer.startswith(b"HTTP/1.1 200")

    ask(scenario)


def test_a_head_request_has_no_body_and_a_chunked_body_is_read(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        status, _, body = await pod.raw("HEAD", "/status")
        assert (status, body) == (200, b"")
        async with pod.connected() as (reader, writer):
            document = b'{"workflow":"nap","id":"chunked"}'
            writer.write(b"POST /v1/executions HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(document), 10):
                piece = document[start : start + 10]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            writer.write(b"0\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 201")

    ask(scenario)


def test_who_hangs_up_while_waiting_disturbs_nobody(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.post({"workflow": "nap", "input": 0.2, "id": "n"})
        async with pod.connected() as (_, writer):
            writer.write(b"GET /v1/executions/n/result?wait=20 HTTP/1.1\r\nHost: t\r\n\r\n")
            await writer.drain()
        result: Any = (await pod.get("/v1/executions/n/result?wait=20"))[1]
        assert result["status"] == "Completed"

    ask(scenario)


async def pending(pod: RuntimePod) -> dict[str, Any]:
    async def is_listed() -> bool:
        return bool((await pod.get("/v1/approvals"))[1]["approvals"])

    await pod.until(is_listed)
    (one,) = (await pod.get("/v1/approvals"))[1]["approvals"]
    found: dict[str, Any] = one
    return found


def decision(**parts: str) -> bytes:
    return json.dumps({"decision": "approve", "by": "ada", **parts}).encode()


def test_what_waits_for_approval_is_listed_and_decided_on_once(ask: Ask) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.post({"workflow": "buy", "id": "buying"})
        one = await pending(pod)
        assert (one["execution"], one["workflow"], one["name"]) == ("buying", "buy", "pay")
        assert one["value"] == {"item": "tea", "count": 1}
        assert one["expiresAt"] > one["requestedAt"]
        assert (await pod.get("/v1/executions/buying/approvals"))[1]["approvals"] == [one]
        (waiting,) = (await pod.get("/v1/executions/buying"))[1]["waitsFor"]
        asked = {"name": "pay", "id": one["digest"], "dueAt": one["expiresAt"], "source": one["source"]}
        assert waiting == {"kind": "approval", **asked}

        body = decision(digest=one["digest"], reason="we are thirsty")
        assert (await pod.request("POST", BUY, body))[0] == 200
        ended = (await pod.get("/v1/executions/buying/result?wait=20"))[1]
        assert ended["result"] == "approved by ada, we are thirsty"
        assert (await pod.request("POST", BUY, body))[0] == 200
        status, answer = await pod.request("POST", BUY, decision(decision="reject", digest=one["digest"]))
        assert (status, answer["error"]["reason"]) == (409, "AlreadyDecided")
        assert (await pod.get("/v1/approvals"))[1] == {"approvals": []}

    ask(scenario)


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        (BUY, decision(digest="0" * 32), 409, "DigestMismatch"),
        (BUY, decision(), 422, "InvalidRequest"),
        (BUY, decision(digest="0" * 32, decision="maybe"), 422, "InvalidRequest"),
        (BUY, decision(digest="0" * 32, by=""), 422, "InvalidInput"),
        (BUY, b"{", 400, "NotJSON"),
        (BUY.replace("pay", "fly"), decision(digest="0" * 32), 404, "UnknownMessage"),
        (BUY.replace("buying", "nobody"), decision(digest="0" * 32), 404, "UnknownExecution"),
    ],
)
def test_a_decision_that_fits_nothing_is_refused(ask: Ask, path: str, body: bytes, status: int, reason: str) -> None:
    async def scenario(pod: RuntimePod) -> None:
        await pod.post({"workflow": "buy", "id": "buying"})
        one = await pending(pod)
        answered, answer = await pod.request("POST", path, body)
        assert (answered, answer["error"]["reason"]) == (status, reason)
        assert await pending(pod) == one

    ask(scenario)
