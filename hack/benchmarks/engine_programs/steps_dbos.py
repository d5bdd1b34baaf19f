"""How does DBOS run the bench's workflows? On a SQLite file with WAL and synchronous=FULL, steps without end.

    steps_dbos.py FOLDER WORKFLOWS

Written as DBOS is fastest on this work, of what was tried: workflows and steps that are not async, and one connection,
since more only wait for each other's lock.
"""
# mypy: ignore-errors
# Its libraries are in an environment of their own.

from __future__ import annotations

import itertools
import os
import sqlite3
import struct
import sys
import threading
import time
from pathlib import Path

import sqlalchemy
from dbos import DBOS, SetWorkflowID

folder, workflows = Path(sys.argv[1]), int(sys.argv[2])
side_file = os.open(folder / "side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
record = struct.Struct("<iiq")
all_started = threading.Event()


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def write_ahead_and_full(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


@DBOS.step()
def step(number: int) -> int:
    return number


@DBOS.workflow()
def chain(workflow: int) -> None:
    all_started.wait()
    for number in itertools.count():
        step(number)
        os.write(side_file, record.pack(workflow, number, time.monotonic_ns()))


DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{folder}/db.sqlite",
        "sys_db_pool_size": 1,
        "log_level": "WARNING",
    }
)
DBOS.launch()
for workflow in range(workflows):
    with SetWorkflowID(str(workflow)):
        DBOS.start_workflow(chain, workflow)
all_started.set()
threading.Event().wait()
