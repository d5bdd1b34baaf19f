"""How does DBOS go on with many open executions? The first life leaves them in their second step.

    resume_dbos.py FOLDER EXECUTIONS prepare|resume

WAL and synchronous=FULL as in the other program; only the preparation, which is not measured, does not wait for the
disk. Workflows are async here: the others would each need a thread to wait in.
"""
# mypy: ignore-errors
# Its libraries are in an environment of their own.

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time

import sqlalchemy
from dbos import DBOS

folder, executions, phase = sys.argv[1], int(sys.argv[2]), sys.argv[3]
side_file = os.open(f"{folder}/side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def write_ahead_and_full(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'OFF' if phase == 'prepare' else 'FULL'}")


@DBOS.step()
async def first(number: int) -> int:
    return number


@DBOS.step()
async def second(number: int) -> int:
    os.write(side_file, f"{time.monotonic_ns()}\n".encode())
    if phase == "prepare":
        await asyncio.Event().wait()
    return number


@DBOS.workflow()
async def two_steps(workflow: int) -> int:
    return await second(await first(workflow))


async def main() -> None:
    if phase == "prepare":
        for number in range(executions):
            await DBOS.start_workflow_async(two_steps, number)
    await asyncio.Event().wait()


DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{folder}/db.sqlite",
        "sys_db_pool_size": 1,
        "application_version": "1",
        "log_level": "WARNING",
    }
)
DBOS.launch()
asyncio.run(main())
