"""Does a namespace with a thousand workflows keep the others waiting? The order in which one operator works."""

from __future__ import annotations

import asyncio
from pathlib import Path

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
