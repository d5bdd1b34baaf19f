"""Files to be looked at: all kinds of executions made by a real engine, hostile payloads, and a very long history."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from dormouse import (
    Approval,
    Codec,
    Engine,
    ExecutionFailed,
    RetryPolicy,
    Signal,
    Workflow,
    activity,
    transaction,
    workflow,
)
from dormouse.engine.schema import bring_up_to_date
from dormouse_observer.manifest import Executions, Manifest, manifest_of

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202egnp.exe\u200b{{ 7 * 7 }}"
paid = Signal("paid", int)
refund = Approval("refund", int)


@activity
async def reserve(item: str) -> dict[str, Any]:
    return {"item": item, "shelf": 7, "notes": ["handle", "with care"], "description": f"{item} " * 400}


@activity(retry=RetryPolicy(attempts=2, initial_seconds=0.001))
async def charge(cents: int) -> str:
    raise ValueError(f"the card was refused {HOSTILE}")


@activity(retry=RetryPolicy(initial_seconds=3600, maximum_seconds=3600))
async def never(item: str) -> str:
    raise OSError("the shop does not answer")


@activity
async def echo(value: Any) -> Any:
    return value


@transaction
def count(tables: sqlite3.Connection, item: str) -> None:
    tables.execute("CREATE TABLE IF NOT EXISTS stock (item TEXT PRIMARY KEY, count INTEGER)")
    tables.execute("INSERT INTO stock VALUES (?, 1)", (item,))


@workflow
async def order(item: str) -> str:
    await reserve(item)
    return f"paid {await paid.receive()}"


@workflow
async def failing(item: str) -> str:
    await reserve(item)
    return await charge(250)


@workflow
async def stubborn(item: str) -> str:
    return await never(item)


@workflow
async def refunding(cents: int) -> str:
    return (await refund.request(cents)).outcome


@workflow
async def hostile(value: Any) -> Any:
    return await echo(value)


@workflow
async def parcel(number: int) -> int:
    await count(f"parcel {number}")
    return number


@workflow
async def parcels(number: int) -> list[int]:
    return [await parcel(one) for one in range(number)]


@workflow
async def nap() -> None:
    await asyncio.sleep(30 * 86400)


@activity
async def ask_model(request: dict[str, Any]) -> dict[str, Any]:
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    tool = ("look_up_order", "refund", None)[turn]
    arguments = ('{"order":"A-1017"}', '{"order":"A-1017","cents":4900}', "")[turn]
    calls = [{"id": f"call_{turn}", "type": "function", "function": {"name": tool, "arguments": arguments}}]
    said = "I have refunded 49.00 to your card. It arrives within three days." if tool is None else None
    message = {"role": "assistant", "content": said} | ({"tool_calls": calls} if tool else {})
    usage = {"prompt_tokens": 212 + 180 * turn, "completion_tokens": 31 + turn} | ({} if turn else {"cost": 0.0004})
    return {"model": "gpt-5-mini", "choices": [{"index": 0, "message": message}], "usage": usage}


@activity
async def look_up_order(order: str) -> dict[str, Any]:
    return {"order": order, "item": "kettle", "cents": 4900, "state": "delivered"}


@workflow
async def agent(question: str) -> str:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You help customers of a shop. Look things up before you act."},
        {"role": "user", "content": question},
    ]
    while True:
        answer = await ask_model({"model": "gpt-5-mini", "messages": messages})
        message = answer["choices"][0]["message"]
        messages.append(message)
        if "tool_calls" not in message:
            return str(message["content"])
        called = message["tool_calls"][0]
        if called["function"]["name"] == "refund":
            came: Any = {"refund": (await refund.request(4900, within_seconds=2 * 86400)).outcome}
        else:
            came = await look_up_order("A-1017")
        messages.append({"role": "tool", "tool_call_id": called["id"], "content": msgspec.json.encode(came).decode()})


async def _make(database: Path, codec: Codec | None) -> None:
    workflows: list[Workflow[..., Any]] = [order, failing, stubborn, refunding, hostile, parcel, parcels, nap, agent]
    async with Engine(database, workflows, codec=codec) as engine:
        await engine.start(order, "tea", id="order-1")
        done = await engine.start(order, "cup", id="order-2")
        await done.signal(paid, 250)
        failed = await engine.start(failing, "pen", id="order-3")
        await engine.start(refunding, 900, id="refund-1")
        family = await engine.start(parcels, 3, id="parcels-1")
        await engine.start(nap, id="nap-1")
        retried = await engine.start(stubborn, "kettle", id="stubborn-1")
        helping = await engine.start(agent, "The kettle that you sent me leaks. Order A-1017.", id="agent-1")
        evil = await engine.start(
            hostile, {HOSTILE: [HOSTILE, {"deep": _deep(60)}], "long": HOSTILE * 2000}, id="evil-1"
        )
        for one in (done, family, evil):
            await one.result()
        with suppress(ExecutionFailed):
            await failed.result()
        while "AttemptFailed" not in [event.kind for event in await retried.history()]:
            await asyncio.sleep(0.01)
        while not await helping.approvals():
            await asyncio.sleep(0.01)


def _deep(levels: int) -> Any:
    return [_deep(levels - 1)] if levels else "bottom"


def make(database: Path, codec: Codec | None = None) -> Path:
    """Executions of all kinds, in a file that nobody has open any more."""
    asyncio.run(_make(database, codec))
    return database


def go_on(database: Path, execution_id: str = "long-1") -> None:
    """Have an execution of `long_history` call its activity once more, and wait for it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO event (position, execution, kind, at, previous, command, name, payload, source) "
            "SELECT max(position) + 1, execution, 'ActivityScheduled', max(at) + 1000, max(position), "
            "max(command) + 1, 'ask', x'5b223f225d', 'agent.py:7' FROM event "
            "WHERE execution = (SELECT key FROM execution WHERE id = ?)",
            (execution_id,),
        )


def describe(database: Path) -> None:
    """Put a manifest beside it, as `dormouse pull` does."""
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    executions = Executions(4, 5, ("v7",))
    manifest = Manifest(
        "orders", "shop", "s3://bucket/shop/orders", "3/41", moment, moment, True, "Active", "uid-1", "ab" * 32, 1,
        "registry.example/orders:7", 8, executions,
    )  # fmt: skip
    manifest_of(database).write_bytes(msgspec.json.encode(manifest))


def long_history(database: Path, events: int, execution_id: str = "long-1") -> Path:
    """One open execution that has called an activity again and again, written without running it."""
    began = 1_750_000_000_000_000
    with closing(sqlite3.connect(database)) as connection:
        bring_up_to_date(connection, database)
        connection.execute(
            "INSERT INTO execution (key, id, workflow, status, seed, request, started_at) "
            "VALUES (1, ?, 'agent', 'Open', x'00', x'00', ?)",
            (execution_id, began),
        )
        rows: list[tuple[Any, ...]] = [(1, "ExecutionStarted", began, None, None, "agent", b'"go"', None)]
        for position in range(2, events + 1):
            command, at = position // 2, began + position * 1_000
            if position % 2 == 0:
                rows.append(
                    (position, "ActivityScheduled", at, position - 1, command, "ask", b'["why?"]', "agent.py:7")
                )
            else:
                rows.append((position, "ActivityCompleted", at, position - 1, command, None, b'"because"', None))
        connection.executemany(
            "INSERT INTO event (position, execution, kind, at, previous, command, name, payload, source) "
            "VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        connection.commit()
    return database
