"""How does Dormouse run the bench's workflows? Standalone, as it is by default, steps without end.

steps_dormouse.py FOLDER WORKFLOWS [--nobody-checkpoints]
"""

from __future__ import annotations

import asyncio
import itertools
import os
import struct
import sys
import time
from pathlib import Path

from dormouse import Engine, activity, workflow
from dormouse.engine.durability import LocalOnly

folder, workflows = Path(sys.argv[1]), int(sys.argv[2])
side_file = os.open(folder / "side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
record = struct.Struct("<iiq")


@activity
async def step(number: int) -> int:
    return number


@workflow
async def chain(workflow: int) -> None:
    for number in itertools.count():
        await step(number)
        os.write(side_file, record.pack(workflow, number, time.monotonic_ns()))


async def main() -> None:
    # To name a durability says that another process checkpoints: here none does, so the WAL keeps all that was written.
    durability = LocalOnly() if "--nobody-checkpoints" in sys.argv else None
    async with Engine(folder / "db.sqlite", [chain], durability=durability) as engine:
        await asyncio.gather(*(engine.start(chain, number, id=str(number)) for number in range(workflows)))
        await asyncio.Event().wait()


asyncio.run(main())
