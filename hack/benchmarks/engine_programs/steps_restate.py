"""How does Restate run the bench's workflows? One handler, steps without end, each a `run` of its context.

    steps_restate.py FOLDER WORKFLOWS ADMIN_URL INGRESS_URL PORT

Served by Hypercorn, the server that its documentation uses for Python. The handler goes on when the server has told it
that the step's result is in the log.
"""
# mypy: ignore-errors
# Its libraries are in an environment of their own.

from __future__ import annotations

import asyncio
import itertools
import json
import os
import struct
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import hypercorn.asyncio
import hypercorn.config
import restate

folder, workflows = Path(sys.argv[1]), int(sys.argv[2])
admin_url, ingress_url, port = sys.argv[3:]
side_file = os.open(folder / "side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
record = struct.Struct("<iiq")
bench = restate.Service("bench")


async def step(number: int) -> int:
    return number


@bench.handler()
async def chain(context: restate.Context, workflow: int) -> None:
    for number in itertools.count():
        await context.run_typed("step", step, number=number)
        os.write(side_file, record.pack(workflow, number, time.monotonic_ns()))


def post(url: str, body: object) -> None:
    """What is asked for before it listens, or its partitions lead, is asked for again."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    for attempt in itertools.count():
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                return
        except urllib.error.URLError:
            if attempt == 100:
                raise
            time.sleep(0.1)


def start_all() -> None:
    post(f"{admin_url}/deployments", {"uri": f"http://127.0.0.1:{port}"})
    for workflow in range(workflows):
        post(f"{ingress_url}/bench/chain/send", workflow)


async def main() -> None:
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hypercorn.asyncio.serve(restate.app([bench]), config))
        tasks.create_task(asyncio.to_thread(start_all))


asyncio.run(main())
