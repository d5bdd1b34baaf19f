"""How does Temporal run the bench's workflows? One worker, steps without end, each an activity.

    steps_temporal.py FOLDER WORKFLOWS HOST:PORT

A worker as it is by default but for the sandbox, which would not let the workflow append its records. The steps are no
local activities: those are recorded when the workflow's task ends, so the next line would run ahead of the disk.
"""
# mypy: ignore-errors
# Its libraries are in an environment of their own.

from __future__ import annotations

import asyncio
import itertools
import os
import struct
import sys
import time
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

folder, workflows, server = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
side_file = os.open(folder / "side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
record = struct.Struct("<iiq")


@activity.defn
async def step(number: int) -> int:
    return number


@workflow.defn
class Chain:
    @workflow.run
    async def run(self, workflow_number: int) -> None:
        for number in itertools.count():
            await workflow.execute_activity(step, number, start_to_close_timeout=timedelta(minutes=1))
            os.write(side_file, record.pack(workflow_number, number, time.monotonic_ns()))


async def main() -> None:
    client = await Client.connect(server)
    async with Worker(
        client,
        task_queue="bench",
        workflows=[Chain],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        for number in range(workflows):
            await client.start_workflow(Chain.run, number, id=str(number), task_queue="bench")
        await asyncio.Event().wait()


asyncio.run(main())
