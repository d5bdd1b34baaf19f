"""How much memory does the pod's runtime take, idle and with executions that sleep?"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from frame import Measured

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "component"))

from runtime_pod import RuntimePod

from dormouse import Engine, workflow

SLEEPING = 10_000
MODULE = """
import asyncio

from dormouse import workflow


@workflow
async def sleeper() -> None:
    await asyncio.sleep(86400)
"""


@workflow
async def sleeper() -> None:
    await asyncio.sleep(86400)


def _resident_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Pod:
    """What a runtime took that was started on a file with so many sleeping executions."""

    resident_mib: float
    cpu_seconds: float


@cache
def measured(sleeping: int, watched_seconds: float) -> Pod:
    return asyncio.run(_measure(sleeping, watched_seconds))


async def write_sleeping(database: Path, sleeping: int) -> None:
    """Make a file in which so many executions sleep."""
    async with Engine(database, [sleeper]) as engine:
        await asyncio.gather(*(engine.start(sleeper) for _ in range(sleeping)))
        while engine.standing().sleeping < sleeping or not engine.standing().can_hibernate:
            await engine.moved()


async def _measure(sleeping: int, watched_seconds: float) -> Pod:
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        pod = RuntimePod(Path(name), MODULE)
        if sleeping:
            await write_sleeping(pod.database, sleeping)
        async with pod:
            await pod.start()
            await pod.ready()
            assert pod.process is not None
            await asyncio.sleep(1)
            before = _cpu_seconds(pod.process.pid)
            await asyncio.sleep(watched_seconds)
            return Pod(_resident_mib(pod.process.pid), _cpu_seconds(pod.process.pid) - before)


def _idle(quick: bool) -> Pod:
    return measured(0, 0.5 if quick else 5)


def _asleep(quick: bool) -> Pod:
    return measured(SLEEPING, 2 if quick else 30)


def idle_rss_mib(quick: bool) -> Measured:
    return Measured((_idle(quick).resident_mib,))


def sleeping_10k_rss_mib(quick: bool) -> Measured:
    """More than an idle one, after a restart on a file in which all of them sleep."""
    return Measured((_asleep(quick).resident_mib - _idle(quick).resident_mib,))


def sleeping_10k_cpu_seconds(quick: bool) -> Measured:
    """What they use while they sleep."""
    return Measured((_asleep(quick).cpu_seconds,))
