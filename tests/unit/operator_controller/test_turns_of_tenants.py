"""Does a namespace with a thousand workflows keep the others waiting? The order in which one operator works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kubernetes.aio.client import Configuration

from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.leading import Candidate
from dormouse_operator.controller.options import Options
from dormouse_operator.controller.running import Operator
from dormouse_operator.controller.tally import Tally
from dormouse_operator.controller.world import Task


def test_an_operator_takes_namespaces_in_turn(tmp_path: Path) -> None:
    async def story() -> list[str]:
        tally = Tally()
        async with ApiServer(Configuration(host="http://127.0.0.1:1"), tally=tally) as api:
            operator = Operator(api, Options(Candidate("team", "dormouse-operator", "a")), tmp_path, tally)
            for number in range(1000):
                operator.queue.add(Task("workflow", ("noisy", f"fails-{number}")))
            operator.queue.add(Task("workflow", ("quiet", "changed")))
            taken = [operator.queue.take() for _ in range(3)]
            return [task.key[0] for task in taken if task is not None]

    assert asyncio.run(story()) == ["noisy", "quiet", "noisy"]


def test_a_tenant_whose_steps_all_wait_leaves_room_for_another_one(tmp_path: Path) -> None:
    async def story() -> list[str]:
        tally, begun = Tally(), list[str]()
        async with ApiServer(Configuration(host="http://127.0.0.1:1"), tally=tally) as api:
            operator = Operator(api, Options(Candidate("team", "dormouse-operator", "a")), tmp_path, tally)

            async def step(task: Task) -> bool:
                begun.append(task.key[0])
                return await asyncio.Event().wait()

            operator._step = step  # type: ignore[method-assign] # what a step does is none of this
            for number in range(1000):
                operator.queue.add(Task("workflow", ("noisy", f"fails-{number}")))
            working = asyncio.create_task(operator.work())
            while len(begun) < 6:
                await asyncio.sleep(0)
            operator.queue.add(Task("workflow", ("quiet", "changed")))
            while "quiet" not in begun:
                await asyncio.sleep(0)
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
        return begun

    async def in_time() -> list[str]:
        async with asyncio.timeout(60):
            return await story()

    assert asyncio.run(in_time()) == [*["noisy"] * 6, "quiet"]
