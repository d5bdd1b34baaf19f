"""How long does a barrier take beside the requests that it cannot do without, and what does its keeper weigh?"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from durability_lives import living, run, seen_by_proxy
from durability_waiters import ask
from frame import Baseline, Measured, median
from keeper_pod import KeeperPod, Workflow
from store_proxy import StoreProxy

from dormouse.replica.s3 import S3

_DELAY_SECONDS = 0.02
_BODY = b"x" * 500


async def _barrier(pod: KeeperPod, waiters: int, number: int) -> float:
    """From a commit to its answer, as half of those who wait for it have it."""
    socket = pod.volume / "run" / "keeper.sock"
    return median(await asyncio.to_thread(ask, socket, waiters, lambda: pod.write(f"commit {number}")))


async def _floor(made: Workflow, proxy: StoreProxy, number: int) -> float:
    """One upload and one read, through the same proxy."""
    store, key = S3(replace(made.location, endpoint=proxy.endpoint)), f"{made.prefix}/floor-{number}"
    await store.exists(key)  # the connection is there, as the keeper's is
    started = time.perf_counter()
    await store.put(key, _BODY, None)
    await store.get(key)
    return time.perf_counter() - started


def barrier_ratio(quick: bool) -> Measured:
    async def story(made: Workflow) -> Measured:
        async with seen_by_proxy(made, _DELAY_SECONDS) as (proxy, through), living(made, 1, **through) as pod:
            await pod.keeper.barrier()
            ours, floor = [], []
            for number in range(20 if quick else 100):
                ours.append(await _barrier(pod, 1, number))
                floor.append(await _floor(made, proxy, number))
        base = Baseline("PUT and GET through the same proxy, ms", median(floor) * 1000)
        return Measured((median(ours) / median(floor),), base)

    return run(story)


def barrier_1000_ratio(quick: bool) -> Measured:
    async def story(made: Workflow) -> Measured:
        async with seen_by_proxy(made, _DELAY_SECONDS) as (_, through), living(made, 1, **through) as pod:
            await pod.keeper.barrier()
            many, one = [], []
            for number in range(10 if quick else 50):
                one.append(await _barrier(pod, 1, number))
                many.append(await _barrier(pod, 1000, number))
        return Measured((median(many) / median(one),), Baseline("with one waiter, ms", median(one) * 1000))

    return run(story)


def keeper_rss_mib(_: bool) -> Measured:
    async def story(made: Workflow) -> Measured:
        async with living(made, 1) as pod:
            for number in range(100):
                await _barrier(pod, 1, number)
            assert pod.process is not None
            children = Path(f"/proc/{pod.process.pid}/task/{pod.process.pid}/children").read_text().split()
            litestream = sum(_resident_mib(int(child)) for child in children)
            return Measured((_resident_mib(pod.process.pid),), Baseline("Litestream, its child, MiB", litestream))

    return run(story)


def _resident_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
