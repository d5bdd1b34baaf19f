"""What does the operator cost with a fleet? One run from the first workflow to a restart with all of them."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet_flock import Flock, change, client_of, is_settled, keys_of
from fleet_ground import OPERATOR, Ground, ground
from fleet_programs import AuditLog, Program, operator_command, running, say

from dormouse_operator.controller.resources import EVENTS, PODS, WORKFLOWS, Document, Key
from dormouse_operator.dev.ports import free_ports

_FEW = 10


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Attributes:
        workflows: of the fleet.
        tenants: namespaces that they are dealt out to, each with a store.
        changes: taken for the cost of one.
        steady_seconds: looked at in steady state; with the 300 s between two lists one of these is within.
        failing: workflows of the tenant whose lives all fail.
    """

    workflows: int
    tenants: int
    changes: int
    steady_seconds: float
    failing: int

    @property
    def first(self) -> int:
        """With these the operator is warm, and holds the store of every tenant, which the others need not pay for."""
        return max(_FEW, self.tenants)

    @property
    def created(self) -> int:
        """All but the first."""
        return self.workflows - self.first


@dataclass(frozen=True)
class Costs:
    """What the operator was seen to use and to write. CPU in seconds of a core."""

    size: Size
    first_cpu: float
    create_cpu: float
    create_seconds: float
    writes: Counter[tuple[str, str]]
    peak_rss_mib: float
    steady_rss_mib: float
    steady_cpu_share: float
    change_cpu_few: float
    change_cpu_many: float
    restart_writes: int
    restart_cpu: float
    restart_seconds: float
    latency_alone: float
    latency_beside_failing: float
    script: Document
    """What it wrote for one workflow, for the bare loop."""


def take(size: Size) -> Costs:
    """On a ground of its own."""
    tenants = _tenants(size)
    with ground((*tenants, "noisy"), size.workflows + size.failing) as made:
        return asyncio.run(_take(size, tenants, made))


def writes(size: Size) -> Counter[tuple[str, str]]:
    """What was written, by verb and resource, until all but the first few ran; the end of the run."""
    tenants = _tenants(size)
    with ground(tenants, size.workflows) as made:
        return asyncio.run(_take_writes(size, tenants, made))


def bare_cpu(size: Size, script: Document) -> float:
    """The CPU seconds for one workflow of a bare loop that watches as many and makes the same writes."""
    tenants = _tenants(size)
    with ground(tenants, size.workflows) as made:
        file = made.folder / "script.json"
        file.write_text(json.dumps(script))
        return asyncio.run(_take_bare(size, tenants, made, file))


def _tenants(size: Size) -> tuple[str, ...]:
    return tuple(f"tenant-{number:02}" for number in range(size.tenants))


async def _take(size: Size, tenants: tuple[str, ...], made: Ground) -> Costs:
    metrics_port = free_ports(1)[0]
    command = operator_command(f"--metrics-port={metrics_port}")
    log, kubeconfig = made.folder / "operator.log", made.plane.kubeconfig(OPERATOR)
    async with await client_of(made) as api:
        flock = Flock(api, made, AuditLog(made.plane.audit_log))
        with running(command, kubeconfig, log) as operator:
            await flock.quiet()
            few = keys_of(tenants, range(_FEW))
            await flock.create(few)
            await flock.steady(is_settled, operator)
            first_cpu = operator.cpu_seconds()
            change_cpu_few, _ = await _changes(flock, operator, few, size.changes)
            await flock.create(keys_of(tenants, range(_FEW, size.first)))
            await flock.steady(is_settled, operator)
            began, before = time.monotonic(), operator.cpu_seconds()
            flock.written.clear()
            await flock.create(keys_of(tenants, range(size.first, size.workflows)))
            await flock.steady(is_settled, operator)
            create_cpu, create_seconds = operator.cpu_seconds() - before, time.monotonic() - began
            writes = flock.writes()
            script = await _script(flock, flock.keys[-1])
            say(f"they run after {create_seconds:.0f} s; steady state for {size.steady_seconds:g} s")
            steady_cpu_share = await _share(operator, size.steady_seconds)
            steady_rss_mib = operator.rss_mib()
            change_cpu_many, _ = await _changes(flock, operator, few, size.changes)
            peak_rss_mib = operator.peak_rss_mib()
        await flock.quiet()
        flock.written.clear()
        say("the operator is started anew")
        with running(command, kubeconfig, log) as operator:
            began = time.monotonic()
            restart_seconds = await _at_work(metrics_port) - began
            await flock.quiet()
            restart_cpu, restart_writes = operator.cpu_seconds(), len(flock.written)
            if restart_writes:
                say(f"after the restart these were written: {dict(flock.writes())}")
            peak_rss_mib = max(peak_rss_mib, operator.peak_rss_mib())
            _, alone = await _changes(flock, operator, few, size.changes)
            say(f"{size.failing} workflows fail, and others are changed beside them")
            await flock.create([("noisy", f"fails-{number:04}") for number in range(size.failing)], "fails")
            _, beside = await _changes(flock, operator, few, size.changes)
    return Costs(
        size=size,
        first_cpu=first_cpu,
        create_cpu=create_cpu,
        create_seconds=create_seconds,
        writes=writes,
        peak_rss_mib=peak_rss_mib,
        steady_rss_mib=steady_rss_mib,
        steady_cpu_share=steady_cpu_share,
        change_cpu_few=change_cpu_few,
        change_cpu_many=change_cpu_many,
        restart_writes=restart_writes,
        restart_cpu=restart_cpu,
        restart_seconds=restart_seconds,
        latency_alone=alone,
        latency_beside_failing=beside,
        script=script,
    )


async def _take_writes(size: Size, tenants: tuple[str, ...], made: Ground) -> Counter[tuple[str, str]]:
    async with await client_of(made) as api:
        flock = Flock(api, made, AuditLog(made.plane.audit_log))
        with running(operator_command(), made.plane.kubeconfig(OPERATOR), made.folder / "operator.log") as operator:
            for numbers in (range(size.first), range(size.first, size.workflows)):
                flock.written.clear()
                await flock.create(keys_of(tenants, numbers))
                await flock.steady(is_settled, operator)
            return flock.writes()


async def _take_bare(size: Size, tenants: tuple[str, ...], made: Ground, script: Path) -> float:
    kubeconfig = made.plane.kubeconfig(OPERATOR)
    command = [sys.executable, str(Path(__file__).with_name("fleet_bare_loop.py")), str(script)]
    async with await client_of(made) as api:
        flock = Flock(api, made, AuditLog(made.plane.audit_log))
        with running(command, kubeconfig, made.folder / "bare.log") as loop:
            await flock.create(keys_of(tenants, range(size.first)))
            await flock.steady(_has_status, loop)
            before = loop.cpu_seconds()
            await flock.create(keys_of(tenants, range(size.first, size.workflows)))
            await flock.steady(_has_status, loop)
            return (loop.cpu_seconds() - before) / size.created


def _has_status(document: Document) -> bool:
    return bool(document.get("status"))


async def _changes(flock: Flock, operator: Program, keys: Sequence[Key], count: int) -> tuple[float, float]:
    """CPU of one change, less what would have been used anyway; the median of the seconds until it is in the status."""
    idle = await _share(operator, 5.0)
    began, before = time.monotonic(), operator.cpu_seconds()
    latencies = [await change(flock, keys[number % len(keys)], _number(flock)) for number in range(count)]
    used = operator.cpu_seconds() - before - idle * (time.monotonic() - began)
    flock.news()
    return used / count, statistics.median(latencies)


def _number(flock: Flock) -> int:
    return time.monotonic_ns() // 1_000_000 % 1_000_000 + len(flock.keys)


async def _share(program: Program, seconds: float) -> float:
    began, before = time.monotonic(), program.cpu_seconds()
    await asyncio.sleep(seconds)
    return (program.cpu_seconds() - before) / (time.monotonic() - began)


async def _at_work(metrics_port: int) -> float:
    """When an operator that has just started leads and has looked at everything once."""
    while True:
        await asyncio.sleep(2.0)  # the operator counts all that it knows
        lines = await asyncio.to_thread(_scrape, metrics_port)
        if all(f"dormouse_operator_{name} {value}" in lines for name, value in _AT_REST):
            return time.monotonic()


_AT_REST = (("leader", "1.0"), ("queue_depth", "0.0"), ("queue_working", "0.0"))


def _scrape(port: int) -> list[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return str(answer.read(), "utf-8").splitlines()
    except OSError:
        return []


async def _script(flock: Flock, key: Key) -> Document:
    """What was written for this workflow, with the bodies that came of it."""
    document = await flock.api.get(WORKFLOWS, *key)
    pod = await flock.api.get(PODS, key[0], document["status"]["podName"])
    events, _ = await flock.api.list(EVENTS, key[0])
    mine = [each for each in events if each["involvedObject"]["uid"] == document["metadata"]["uid"]]
    for each in (pod, *mine):
        kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
        each["metadata"] = {name: each["metadata"][name] for name in kept if name in each["metadata"]}
    for name in ("nodeName", "tolerations"):
        pod["spec"].pop(name, None)
    pod.pop("status", None)
    counts = Counter(
        (each.verb, each.resource) for each in flock.written if each.namespace == key[0] and key[1] in each.name
    )
    return {
        "key": list(key),
        "uid": document["metadata"]["uid"],
        "finalizers": document["metadata"]["finalizers"],
        "status": document["status"],
        "statusWrites": counts["patch", "durableworkflows/status"],
        "pod": pod,
        "events": mine,
    }
