"""How does Dormouse go on with many open executions? The first life leaves them in their second step.

resume_dormouse.py FOLDER EXECUTIONS prepare|resume
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from dormouse import Engine, activity, workflow

folder, executions, phase = sys.argv[1], int(sys.argv[2]), sys.argv[3]
side_file = os.open(f"{folder}/side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@activity
async def first(number: int) -> int:
    return number


@activity
async def second(number: int) -> int:
    os.write(side_file, f"{time.monotonic_ns()}\n".encode())
    if phase == "prepare":
        await asyncio.Event().wait()
    return number


@workflow
async def two_steps(workflow: int) -> int:
    return await second(await first(workflow))


async def main() -> None:
    async with Engine(f"{folder}/db.sqlite", [two_steps]) as engine:
        if phase == "prepare":
            await asyncio.gather(*(engine.start(two_steps, number) for number in range(executions)))
        await asyncio.Event().wait()


asyncio.run(main())
