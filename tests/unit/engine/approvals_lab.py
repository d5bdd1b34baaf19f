"""Workflows that ask for approval, and how tests live with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine_lab import until

from dormouse import (
    Approval,
    Engine,
    Handle,
    RetryPolicy,
    Signal,
    Workflow,
    activity,
    continue_as_new,
    workflow,
)
from dormouse.engine.clock import ManualClock
from dormouse.engine.reading import PendingApproval

DAY = 86400.0


@dataclass(frozen=True)
class Payment:
    to: str
    cents: int


pay = Approval("pay", Payment)
sign = Approval("sign", str)
stop = Signal("stop")
TEA = Payment("tea house", 300)
ASKED = b'{"to":"tea house","cents":300}'
wanted, within = [TEA], [DAY]
stops_working = [False]


def as_it_was() -> None:
    wanted[:], within[:], stops_working[:] = [TEA], [DAY], [False]


@workflow
async def pays() -> str:
    decision = await pay.request(wanted[0], within_seconds=within[0])
    return f"{decision.outcome} by {decision.by or 'nobody'}: {decision.reason}"


@workflow
async def pays_twice() -> list[str]:
    return [(await pay.request(TEA)).outcome, (await pay.request(TEA)).outcome]


@workflow
async def pays_unless_stopped() -> str:
    asking = asyncio.ensure_future(pay.request(TEA))
    stopping = asyncio.ensure_future(stop.receive())
    await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
    if asking.done():
        return asking.result().outcome
    asking.cancel()
    await stop.receive()
    return "stopped"


@activity(retry=RetryPolicy(attempts=1))
async def works() -> None:
    if not stops_working[0]:
        raise ConnectionError("not today")


@workflow
async def works_beside() -> str:
    asking = asyncio.ensure_future(pay.request(TEA))
    try:
        await works()
    except Exception:
        await stop.receive()  # the decision comes meanwhile
        raise
    return (await asking).outcome


@workflow
async def signs() -> str:
    return (await sign.request("a letter")).outcome


@workflow
async def asks_anew(number: int = 0) -> str:
    asking = asyncio.ensure_future(pay.request(TEA))
    await stop.receive()
    if number == 0:
        continue_as_new(1)
    return (await asking).outcome


@workflow
async def forgets_to_await() -> None:
    pay.request(TEA)  # type: ignore[unused-coroutine]


ALL: list[Workflow[..., Any]] = [
    pays, pays_twice, pays_unless_stopped, works_beside, signs, asks_anew, forgets_to_await,
]  # fmt: skip
Scenario = Callable[[Engine, ManualClock], Awaitable[Any]]


def live(path: Path, scenario: Scenario, clock: ManualClock | None = None, **options: Any) -> Any:
    async def run() -> Any:
        manual = clock or ManualClock()
        async with Engine(path / "db.sqlite", ALL, clock=manual, **options) as engine:
            await engine.recovered()
            return await scenario(engine, manual)

    return asyncio.run(run())


async def pending(engine: Engine, count: int = 1) -> list[PendingApproval]:
    """Those that are listed, once there are so many."""
    await until(lambda: len(engine.read.approvals()) == count)
    return engine.read.approvals()


async def asked(engine: Engine, definition: Any = pays) -> tuple[Handle[Any], str]:
    """An execution that waits for a decision, and the digest of its request."""
    handle = await engine.start(definition, id="one")
    (one,) = await pending(engine)
    return handle, one.digest
