"""What does a life ask of the store, and how much does it upload? Counted by a proxy before the store."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

from durability_lives import MB, fill, living, run, seen_by_proxy
from frame import Baseline, Measured
from keeper_pod import Workflow

_WATCHED_SECONDS = 65 * 60.0
_HOUR = 3600.0


def life_upload_ratio(_: bool) -> Measured:
    async def story(made: Workflow) -> Measured:
        async with living(made, 1) as first:
            fill(first.database, 50 * MB)
            await first.keeper.barrier()
            await first.keeper.seal("Stopped")
        async with seen_by_proxy(made) as (proxy, through), living(made, 2, **through) as second:
            second.write("one row")
            await second.keeper.barrier()
            await second.keeper.seal("Stopped")
            compressed = await asyncio.to_thread(_compressed, second.database.read_bytes())
            return Measured((proxy.uploaded / compressed,), Baseline("the database, compressed, bytes", compressed))

    return run(story)


def _compressed(content: bytes) -> int:
    """At zlib's fastest; random bytes compress with nothing."""
    return len(zlib.compress(content, 1))


@dataclass(frozen=True)
class Idle:
    """What an idle pod asked in an hour."""

    writes: float
    lists: float
    reads_of_current: float
    other_reads: float


async def watched(made: Workflow, seconds: float) -> Idle:
    """A pod with a small database and nothing to do, after its first barrier."""
    async with seen_by_proxy(made) as (proxy, through), living(made, 1, **through) as pod:
        fill(pod.database, MB)
        await pod.keeper.barrier()
        before = proxy.asked.copy()
        await asyncio.sleep(seconds)
        asked = proxy.asked - before
    hours = seconds / _HOUR
    return Idle(
        writes=(asked["PUT"] + asked["POST"]) / hours,
        lists=asked["LIST"] / hours,
        reads_of_current=asked["GET CURRENT"] / hours,
        other_reads=(asked["GET"] + asked["HEAD"]) / hours,
    )


def idle_requests_hour(_: bool) -> Measured:
    idle = run(lambda made: watched(made, _WATCHED_SECONDS))
    return Measured((idle.writes + idle.lists,), Baseline("GETs of CURRENT an hour", idle.reads_of_current))
