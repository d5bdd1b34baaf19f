"""Can the same be asked of an engine in this process as of one over HTTP, and is the answer the same?"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

import dormouse
from dormouse import Approval, DormouseError, Engine, Query, Signal, Update, Workflow, workflow
from dormouse.client import AsyncClient, AsyncHandle
from dormouse.runtime.api import Api
from dormouse.runtime.server import Request

add = Signal("add", int)
total = Query("total", int)
double = Update("double", int, int)
pay = Approval("pay", int)


@workflow
async def counts() -> int:
    sum_of = 0
    never = asyncio.Event()

    async def twice(number: int) -> int:
        if number == 0:
            raise ValueError("nothing to double")
        if number == 99:
            await never.wait()
        return 2 * number

    total.answer(lambda: sum_of)
    double.answer(twice)
    while (number := await add.receive()) != 0:
        sum_of += number
    return sum_of


@workflow
async def pays(cents: int) -> str:
    return (await pay.request(cents)).outcome


@workflow
async def fails() -> None:
    raise ValueError("no luck")


ALL: list[Workflow[..., Any]] = [counts, pays, fails]


class _ToApi(httpx.AsyncBaseTransport):
    """HTTP without a network."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        query = dict(parse_qsl(request.url.query.decode()))
        path, body = request.url.raw_path.decode().partition("?")[0], await request.aread()
        answer = await self._api.answer(Request(request.method, path, query, dict(request.headers), body))
        return httpx.Response(answer.status, content=answer.body, headers=list(answer.headers))


def signatures(kind: type) -> dict[str, list[str]]:
    methods = {name: one for name, one in vars(kind).items() if callable(one) and not name.startswith("_")}
    return {name: list(inspect.signature(one).parameters) for name, one in methods.items()}


def test_a_handle_has_the_same_verbs_here_and_over_http() -> None:
    assert signatures(dormouse.Handle) == signatures(AsyncHandle)


@pytest.mark.parametrize("verb", ["start", "handle", "executions", "approvals"])
def test_an_engine_has_the_verbs_of_a_client(verb: str) -> None:
    assert signatures(Engine)[verb] == signatures(AsyncClient)[verb]


def test_a_client_has_no_verb_that_an_engine_lacks() -> None:
    of_http = {"run"}
    assert signatures(AsyncClient).keys() - of_http <= signatures(Engine).keys()


Side = Any  # an Engine or an AsyncClient


async def raised(asking: Awaitable[Any]) -> tuple[str, str]:
    try:
        answer = await asking
    except (DormouseError, TimeoutError) as error:
        return type(error).__name__, str(error)
    return "nothing", repr(answer)


def told(execution: Any) -> tuple[str, str, str]:
    return execution.id, execution.workflow, execution.status


async def messages(side: Side) -> list[Any]:
    one = await side.start(counts, id="one")
    seen: list[Any] = [one.id, one.created, (await side.start("counts", id="one")).created]
    seen += [told(await one.signal(signal, 3, idempotency_key="k")) for signal in (add, "add")]
    seen += [await one.query(total), await one.query("total")]
    seen += [await one.update(double, 4), await one.update("double", 5)]
    seen += [(await one.show()).waits_for, [event.kind for event in await one.history()]]
    seen += [told(await one.signal(add, 0)), await one.result(timeout=20), (await one.show()).status]
    return seen


async def approvals(side: Side) -> list[Any]:
    one = await side.start(pays, 5, id="one")
    two = await side.start(pays, 6, id="two")
    while len((await side.approvals()).approvals) < 2:
        await asyncio.sleep(0.001)
    first = await side.approvals(limit=1)
    second = await side.approvals(after=first.next)
    seen: list[Any] = [(asked.execution, asked.name, bytes(asked.value)) for asked in first.approvals]
    seen += [asked.execution for asked in second.approvals]
    seen += [[asked.digest for asked in await two.approvals()] == [second.approvals[0].digest]]
    seen += [await raised(one.approve(pay, "0", by="ada"))]
    await one.approve(pay, first.approvals[0].digest, by="ada")
    await two.reject("pay", second.approvals[0].digest, by="ada", reason="too much")
    return [*seen, await one.result(), await two.result()]


async def ends(side: Side) -> list[Any]:
    one = await side.start(counts, id="one")
    seen: list[Any] = [told(await one.terminate("enough"))]
    seen += [(await one.show()).error.message, told(await one.retry())]
    await one.cancel("enough")
    seen.append(await raised(one.result(timeout=20)))
    failed = await side.start(fails, id="two")
    seen.append(await raised(failed.result()))
    page = await side.executions(limit=1)
    seen += [told(execution) for execution in page.executions]
    return seen + [told(execution) for execution in (await side.executions(after=page.next)).executions]


async def lists(side: Side) -> list[Any]:
    await side.start(counts, id="one")
    for number in (1, 2):
        await raised((await side.start(fails, id=f"failed-{number}")).result())
    await side.start(pays, 5, id="two")
    first = await side.executions(status="Failed", limit=1)
    pages = [
        first,
        await side.executions(status="Failed", after=first.next),
        await side.executions(status="Open"),
        await side.executions(workflow=fails, status="Failed"),
        await side.executions(workflow="pays"),
        await side.executions(workflow="pays", status="Blocked"),
    ]
    seen: list[Any] = [[told(execution) for execution in page.executions] for page in pages]
    return [*seen, [page.next is None for page in pages]]


async def refusals(side: Side) -> list[Any]:
    one = await side.start(counts, id="one")
    asked = [
        side.start("nothing"),
        side.start(pays, id="one"),
        side.start(pays, 7, id="one"),
        side.start(pays, 7, id="a/b"),
        side.executions(after="x"),
        side.executions(status="failed"),
        side.executions(workflow="nothing"),
        side.handle("nobody").show(),
        side.handle("nobody").cancel(),
        one.signal("add", "three"),
        one.signal("substract", 3),
        one.update(double, 0),
        one.update(double, 99, idempotency_key="k", timeout=0.01),
        one.result(timeout=0.01),
        one.retry(),
        one.approve(pay, "0", by="ada"),
    ]
    return [await raised(asking) for asking in asked]


@pytest.mark.parametrize("scenario", [messages, approvals, ends, lists, refusals])
def test_the_answers_are_the_same_too(tmp_path: Path, scenario: Callable[[Side], Awaitable[list[Any]]]) -> None:
    async def here() -> list[Any]:
        async with Engine(tmp_path / "here.sqlite", ALL) as engine:
            return await scenario(engine)

    async def over_http() -> list[Any]:
        async with Engine(tmp_path / "there.sqlite", ALL) as engine:
            await engine.recovered()
            api = Api(0)
            api.engine = engine
            async with AsyncClient("http://runtime", transport=_ToApi(api)) as client:
                return await scenario(client)

    answers = asyncio.run(here())
    assert answers == asyncio.run(over_http())
    assert answers
