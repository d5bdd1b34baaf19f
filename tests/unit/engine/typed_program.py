"""Does a type checker see every result exactly, and refuse every wrong argument? Asked by `hack/check`; nothing runs.

Each `type: ignore` stands where an author has made a mistake: mypy and pyright, in strict mode, complain of one that
they do not need, so a mistake that is no longer noticed fails the check.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_type
from uuid import UUID

from dormouse import (
    Approval,
    Decision,
    Engine,
    Handle,
    Query,
    RetryPolicy,
    Signal,
    Update,
    activity,
    now,
    patched,
    random,
    transaction,
    uuid4,
    workflow,
)
from dormouse import client as over_http


@dataclass(frozen=True)
class Order:
    number: int


@dataclass(frozen=True)
class Receipt:
    paid: float


paid = Signal("paid", Receipt)
hurry = Signal("hurry")
state = Query("state", list[str])
add = Update("add", Order, int)
refund = Approval("refund", Order)


@activity
async def charge(order: Order, *, cents: int = 0) -> Receipt:
    raise NotImplementedError


@activity(retry=RetryPolicy(attempts=3), start_to_close_seconds=5)
def pack(order: Order) -> dict[str, int]:
    raise NotImplementedError


@transaction
def book(connection: sqlite3.Connection, order: Order) -> int:
    raise NotImplementedError


@workflow
async def ship(order: Order) -> list[Receipt]:
    raise NotImplementedError


@workflow
async def tidy() -> None: ...


@workflow
async def sell(order: Order) -> Receipt:
    # Activities and transactions.
    assert_type(await charge(order), Receipt)
    assert_type(await charge(order, cents=5), Receipt)
    assert_type(await charge.with_options(schedule_to_close_seconds=60)(order), Receipt)
    assert_type(await pack(order), dict[str, int])
    assert_type(await book(order), int)
    assert_type(await asyncio.gather(charge(order), pack(order)), tuple[Receipt, dict[str, int]])
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(charge(order)), asyncio.Task[Receipt])
    await charge("one")  # type: ignore[arg-type]
    await charge()  # type: ignore[call-arg]
    await charge(order, euros=5)  # type: ignore[call-arg]
    await charge.with_options(retries=5)(order)  # type: ignore[call-arg]
    await pack(order, order)  # type: ignore[call-arg]
    await book(1)  # type: ignore[arg-type]

    # Children.
    assert_type(await ship(order), list[Receipt])
    assert_type(await ship.with_options(id="one", parent_close="abandon")(order), list[Receipt])
    await ship(1)  # type: ignore[arg-type]
    await ship()  # type: ignore[call-arg]
    await ship.with_options(parent_close="forget")(order)  # type: ignore[arg-type]

    # Messages.
    assert_type(await paid.receive(), Receipt)
    await hurry.receive()
    assert_type(await refund.request(order, within_seconds=60), Decision)
    await refund.request("everything")  # type: ignore[arg-type]
    state.answer(lambda: ["sold"])
    state.answer(lambda: 1)  # type: ignore[arg-type, return-value]

    async def added(one: Order) -> int:
        return one.number

    async def said(one: Order) -> str:
        return str(one)

    add.answer(added, check=lambda one: one.number)
    add.answer(said)  # type: ignore[arg-type]

    # What is the same in every replay.
    assert_type(now(), datetime)
    assert_type(uuid4(), UUID)
    assert_type(random(), float)
    assert_type(patched("one"), bool)
    return Receipt(1.0)


async def in_process(engine: Engine, order: Order) -> None:
    handle = await engine.start(sell, order, id="one")
    assert_type(handle, Handle[Receipt])
    assert_type(await handle.result(), Receipt)
    assert_type(await handle.query(state), list[str])
    assert_type(await handle.query("state"), Any)
    assert_type(await handle.update(add, order), int)
    assert_type(engine.handle("one", sell), Handle[Receipt])
    assert_type(engine.handle("one"), Handle[Any])
    await handle.signal(paid, Receipt(1.0))
    await handle.signal(hurry)
    await engine.start(tidy)
    await engine.start(sell, 1)  # type: ignore[arg-type]
    await engine.start(sell)  # type: ignore[arg-type]
    await handle.update(add, 1)  # type: ignore[misc]
    await handle.signal(paid, 1)  # type: ignore[misc]


def from_elsewhere(client: over_http.Client, order: Order) -> None:
    handle = client.start(sell, order)
    assert_type(handle, over_http.Handle[Receipt])
    assert_type(handle.result(timeout=1), Receipt)
    assert_type(handle.query(state), list[str])
    assert_type(handle.update(add, order), int)
    assert_type(handle.show(), over_http.Execution)
    assert_type(refund.decode(handle.approvals()[0].value), Order)
    client.start(sell, 1)  # type: ignore[arg-type]
    handle.update(add, 1)  # type: ignore[misc]


async def from_elsewhere_async(client: over_http.AsyncClient, order: Order) -> None:
    handle = await client.start(sell, order)
    assert_type(handle, over_http.AsyncHandle[Receipt])
    assert_type(await handle.result(), Receipt)
    assert_type(await handle.query(state), list[str])
    assert_type(await handle.update(add, order), int)
    await client.start(sell, 1)  # type: ignore[arg-type]
