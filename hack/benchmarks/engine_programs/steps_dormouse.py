"""How does Dormouse run the bench's workflows? Standalone, as it is by default, steps without end.

steps_dormouse.py FOLDER WORKFLOWS [--nobody-checkpoints | --no-side-file | KEEPER_SOCKET]
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
from dormouse.engine.durability import Durability, LocalOnly, SyncDurability
from dormouse.keeper.client import KeeperClient

folder, workflows = Path(sys.argv[1]), int(sys.argv[2])
has_side_file = "--no-side-file" not in sys.argv
side_file = os.open(folder / "side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
record = struct.Struct("<iiq")


@activity
async def step(number: int) -> int:
    return number


@workflow
async def chain(workflow: int) -> None:
    for number in itertools.count():
        await step(number)
        if has_side_file:
            os.write(side_file, record.pack(workflow, number, time.monotonic_ns()))


async def durability_of(options: list[str]) -> Durability | None:
    match options:
        case [] | ["--no-side-file"]:
            return None
        case ["--nobody-checkpoints"]:
            # To name a durability says that another process checkpoints: here none does, so the WAL keeps everything.
            return LocalOnly()
        case [socket]:
            keeper = await KeeperClient.connect(Path(socket))
            await keeper.gate()
            return SyncDurability(keeper)
        case _:
            raise SystemExit(f"too many options: {options}")


async def main() -> None:
    durability = await durability_of(sys.argv[3:])
    async with Engine(folder / "db.sqlite", [chain], durability=durability) as engine:
        await asyncio.gather(*(engine.start(chain, number, id=str(number)) for number in range(workflows)))
        await asyncio.Event().wait()


asyncio.run(main())
