"""Does the example's agent do what its model asks for, tell it what it asks wrongly, and pay nothing unapproved?"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dormouse import ExecutionFailed
from dormouse.testing import Durable

EXAMPLE = Path(__file__).parents[2] / "examples" / "agent"
IN_DOLLARS = "I want my money for the order A-17 back, in USD."


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example's module, with the scripted model as a real server."""
    monkeypatch.syspath_prepend(EXAMPLE)
    import agent
    import scripted_model

    with scripted_model.server(0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}/v1")
        yield agent
        server.shutdown()
    for name in ("agent", "scripted_model"):
        sys.modules.pop(name, None)


def right_rate(agent: ModuleType) -> Callable[[str, str], Any]:
    return lambda base, quote: agent.Rate(base, quote, 1.086)


async def decided(durable: Durable, agent: ModuleType, question: str, approve: bool) -> tuple[Any, str]:
    """What approval was asked for, and the answer after the decision."""
    async with durable.engine(agent) as engine:
        support = await engine.start(agent.support, question)
        await engine.settled()
        (asked,) = await support.approvals()
        decide = support.approve if approve else support.reject
        await decide(agent.pay_back, asked.digest, by="ada", reason="" if approve else "not before Friday")
        return agent.pay_back.decode(asked.value), await support.result()


def test_a_wrong_rate_is_not_paid_out(agent: ModuleType, durable: Durable) -> None:
    with pytest.raises(ExecutionFailed, match=r"488\.70 USD for the order A-17, for which 45\.00 EUR was paid"):
        durable.run(agent.support, IN_DOLLARS)


def test_with_the_right_rate_it_pays_what_was_approved(agent: ModuleType, durable: Durable) -> None:
    durable.replace(agent.exchange_rate, right_rate(agent))
    asked, answer = asyncio.run(decided(durable, agent, IN_DOLLARS, approve=True))
    assert asked == agent.Refund("A-17", 4887, "USD")
    assert answer == "48.87 USD for A-17 is on its way to you."


def test_what_is_rejected_is_not_paid(agent: ModuleType, durable: Durable) -> None:
    _, answer = asyncio.run(decided(durable, agent, "My money for A-18, in USD!", approve=False))
    assert answer == 'I could not give you the money back: {"refused": "not before Friday"}'


def test_an_order_that_does_not_exist_is_told_to_the_model(agent: ModuleType, durable: Durable) -> None:
    assert durable.run(agent.support, "Refund B-1 in EUR.") == "I am sorry: there is no order B-1."


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("delete_shop", "{}", "there is no tool delete_shop"),
        ("find_order", "{", "Input data was truncated"),
        ("find_order", "{}", "Object missing required field `order`"),
        ("refund", '{"order": "A-17", "cents": 1, "currency": "EUR"}', "look the order up first"),
    ],
)
def test_a_wrong_tool_call_is_told_to_the_model(
    agent: ModuleType, durable: Durable, name: str, arguments: str, told: str
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}
    heard: list[str] = []

    def model(messages: list[dict[str, Any]]) -> Any:
        if messages[-1]["role"] == "tool":
            heard.append(json.loads(messages[-1]["content"])["error"])
            return agent.Completion("m", [agent.Choice({"role": "assistant", "content": "well"})])
        return agent.Completion("m", [agent.Choice({"role": "assistant", "content": None, "tool_calls": [call]})])

    durable.replace(agent.chat, model)
    assert durable.run(agent.support, IN_DOLLARS) == "well"
    assert heard == [told]


def test_a_model_that_only_asks_for_tools_is_given_up(agent: ModuleType, durable: Durable) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find_order", "arguments": '{"order": "A-17"}'}}
    asking = {"role": "assistant", "content": None, "tool_calls": [call]}
    durable.replace(agent.chat, lambda _: agent.Completion("m", [agent.Choice(asking)]))
    with pytest.raises(ExecutionFailed, match="still asked for tools in turn 12"):
        durable.run(agent.support, IN_DOLLARS)


@pytest.mark.parametrize(("statuses", "asked"), [((429, 503), 3), ((400,), 1)])
def test_an_endpoint_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    agent: ModuleType, durable: Durable, monkeypatch: pytest.MonkeyPatch, statuses: tuple[int, ...], asked: int
) -> None:
    requests = 0

    class Moody(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal requests
            self.rfile.read(int(self.headers["Content-Length"]))
            status = statuses[requests] if requests < len(statuses) else 200
            requests += 1
            body = b'{"model": "m", "choices": [{"message": {"role": "assistant", "content": "here I am"}}]}'
            self.send_response(status)
            self.send_header("Retry-After", "3")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Moody) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}/v1")
        if 400 in statuses:
            with pytest.raises(ExecutionFailed, match="400"):
                durable.run(agent.support, IN_DOLLARS)
        else:
            assert durable.run(agent.support, IN_DOLLARS) == "here I am"
        server.shutdown()
    assert requests == asked
