"""How does DBOS run the bench's workflows? On a SQLite file with WAL and synchronous=FULL, steps without end.

    steps_dbos.py FOLDER WORKFLOWS [KEEPER_SOCKET]

Workflows and steps are not async, as in its documentation, and there are as many connections as by default. With a
keeper, which streams the file to the store and alone checkpoints it, the workflow waits for the keeper's barrier after
each step.
"""
# mypy: ignore-errors
# Its libraries are in an environment of their own.

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import sqlalchemy
from dbos import DBOS, SetWorkflowID

sys.path.append(str(Path(__file__).resolve().parents[3] / "worker" / "src"))

from dormouse.keeper.client import KeeperClient


class Keeper:
    """The keeper's client for threads."""

    def __init__(self, socket: Path) -> None:
        """Returns when the gate is open."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._client = self._wait_for(KeeperClient.connect(socket))
        self._wait_for(self._client.gate())

    def barrier(self) -> None:
        """Returns when every commit made before is in the store."""
        self._wait_for(self._client.barrier())

    def _wait_for(self, asked: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


folder, workflows = Path(sys.argv[1]), int(sys.argv[2])
side_file = os.open(folder / "side", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
record = struct.Struct("<iiq")
all_started = threading.Event()
keeper = Keeper(Path(sys.argv[3])) if len(sys.argv) > 3 else None


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def write_ahead_and_full(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if keeper is not None:
        connection.execute("PRAGMA wal_autocheckpoint = 0")


@DBOS.step()
def step(number: int) -> int:
    return number


@DBOS.workflow()
def chain(workflow: int) -> None:
    all_started.wait()
    for number in itertools.count():
        step(number)
        if keeper is not None:
            keeper.barrier()
        os.write(side_file, record.pack(workflow, number, time.monotonic_ns()))


DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{folder}/db.sqlite",
        "log_level": "WARNING",
    }
)
DBOS.launch()
for workflow in range(workflows):
    with SetWorkflowID(str(workflow)):
        DBOS.start_workflow(chain, workflow)
all_started.set()
threading.Event().wait()
