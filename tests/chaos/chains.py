"""The workload of a round: chains of steps that are told outside before they do anything, and starts of a client.

An attempt names the token of the step before, so it shows that the step before was acknowledged, and with which result.
Each step also writes a row into a table of the same file. It runs in the pod, beside nothing but Dormouse.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass

from dormouse import RetryPolicy, activity, transaction, workflow

_MANY = 100_000


@dataclass(frozen=True)
class Order:
    """So many chains, told to the Unix socket at `recorder`."""

    chains: int
    recorder: str


@activity(retry=RetryPolicy(initial_seconds=0.05, maximum_seconds=0.2))
async def link(recorder: str, chain: int, step: int, previous: str) -> str:
    token = secrets.token_hex(6)
    told = {
        "chain": chain, "step": step, "epoch": int(os.environ["DORMOUSE_EPOCH"]),
        "given": previous, "gives": token, "at_ns": time.monotonic_ns(),
    }  # fmt: skip
    reader, writer = await asyncio.open_unix_connection(recorder)
    try:
        writer.write(json.dumps(told).encode() + b"\n")
        if not await reader.readline():
            raise ConnectionError("the recorder is gone")
    finally:
        writer.close()
    return token


@transaction
def note(tables: sqlite3.Connection, chain: int, step: int, token: str) -> None:
    tables.execute("CREATE TABLE IF NOT EXISTS entry (chain INTEGER, step INTEGER, token TEXT)")
    tables.execute("INSERT INTO entry VALUES (?, ?, ?)", (chain, step, token))


async def _chain(order: Order, chain: int) -> None:
    token = "start"
    for step in range(_MANY):
        token = await link(order.recorder, chain, step, token)
        await note(chain, step, token)
        if step % 7 == 6:
            await asyncio.sleep(0.01)


@workflow
async def chains(order: Order) -> None:
    await asyncio.gather(*(_chain(order, chain) for chain in range(order.chains)))


@workflow
async def mark(number: int) -> int:
    return number
