"""Which engines take part, with which settings? Each as its documentation has it, since that is what its users get.

A step counts when it is on the disk (a commit with synchronous=FULL, a log with fsync) before the workflow's next line.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import rivals

from dormouse_operator.dev.ports import LOOPBACK, free_ports

_SERVER_WITHIN_SECONDS = 30


class Step(NamedTuple):
    """The n-th step of a workflow."""

    workflow: int
    number: int


def _no_server(_: Path) -> AbstractContextManager[Sequence[str]]:
    return nullcontext(())


@dataclass(frozen=True)
class Contender:
    """An engine that takes part.

    Attributes:
        command: what runs it; the folder and the number of workflows are added.
        recorded: reads from its database which steps it knows; None when its store is nothing that we can read.
        seconds: how long it is watched; more for the slow, so that all are counted well.
        settling_seconds: how long it works before that; more for those that become faster.
        server: what has to run beside it, in a folder; gives what the command needs to know of it.
    """

    name: str
    command: Callable[[], Sequence[str]]
    recorded: Callable[[Path], set[Step]] | None
    seconds: float
    settling_seconds: float = 0.3
    server: Callable[[Path], AbstractContextManager[Sequence[str]]] = _no_server


def recorded_by_dormouse(database: Path) -> set[Step]:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT execution.id, command FROM event JOIN execution ON execution.key = event.execution "
            "WHERE kind = 'ActivityCompleted'"
        )
        return {Step(int(workflow), command - 1) for workflow, command in rows}


def recorded_by_dbos(database: Path) -> set[Step]:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT workflow_uuid, function_id FROM operation_outputs WHERE error IS NULL")
        return {Step(int(workflow), function - 1) for workflow, function in rows}


@contextmanager
def process(
    command: Sequence[str], log: Path, environment: Mapping[str, str] = os.environ
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end, whatever it does then."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


class DidNotStart(Exception):
    """A process ended, or took too long; says with which last words."""


def wait_until(done: Callable[[], bool], seconds: float, running: subprocess.Popen[bytes], log: Path) -> None:
    """Until it is.

    Raises:
        DidNotStart: when the process ends before, or the time does.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if running.poll() is not None or time.monotonic() > deadline:
            raise DidNotStart(f"{log.parent.name}/{log.name} ends with:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


@contextmanager
def temporal_server(folder: Path) -> Iterator[Sequence[str]]:
    """The development server on a file, without its web page. By default its SQLite has a rollback journal and FULL."""
    (port,) = free_ports(1)
    log = folder / "server.log"
    options = ["--ip", LOOPBACK, "--port", str(port), "--headless", "--log-level", "error"]
    command = [rivals.temporal_server(), "server", "start-dev", "--db-filename", str(folder / "db.sqlite")]
    with process([*command, *options], log) as running:
        wait_until(lambda: b"Temporal Server:" in log.read_bytes(), _SERVER_WITHIN_SECONDS, running, log)
        yield [f"{LOOPBACK}:{port}"]


@contextmanager
def restate_server(folder: Path) -> Iterator[Sequence[str]]:
    """One node as it is by default, so its log is written with fsync."""
    node, admin, ingress, deployment = free_ports(4)
    log = folder / "server.log"
    command = [rivals.restate_server(), "--no-logo", "--node-name", "bench", "--base-dir", str(folder / "restate")]
    environment = {
        **os.environ,
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RUST_LOG": "warn",
        "RESTATE_BIND_ADDRESS": f"{LOOPBACK}:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://{LOOPBACK}:{node}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"{LOOPBACK}:{admin}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"{LOOPBACK}:{ingress}",
    }
    with process([*command, "--listen-mode", "tcp"], log, environment) as running:
        for port, path in ((admin, "health"), (ingress, "restate/health")):
            url = f"http://{LOOPBACK}:{port}/{path}"
            wait_until(lambda: _answers(url), _SERVER_WITHIN_SECONDS, running, log)  # noqa: B023 - called in the loop
        yield [f"http://{LOOPBACK}:{admin}", f"http://{LOOPBACK}:{ingress}", str(deployment)]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


DORMOUSE = Contender(
    "dormouse",
    lambda: [sys.executable, str(rivals.PROGRAMS / "steps_dormouse.py")],
    recorded_by_dormouse,
    seconds=1,
)
DBOS = Contender(
    "DBOS, WAL, synchronous=FULL",
    lambda: [rivals.python("dbos"), str(rivals.PROGRAMS / "steps_dbos.py")],
    recorded_by_dbos,
    seconds=2,
)
RESTATE = Contender(
    "Restate, one node, fsync",
    lambda: [rivals.python("restate"), str(rivals.PROGRAMS / "steps_restate.py")],
    None,
    seconds=3,
    settling_seconds=3,
    server=restate_server,
)
TEMPORAL = Contender(
    "Temporal's development server, synchronous=FULL",
    lambda: [rivals.python("temporal"), str(rivals.PROGRAMS / "steps_temporal.py")],
    None,
    seconds=8,
    settling_seconds=3,
    server=temporal_server,
)
