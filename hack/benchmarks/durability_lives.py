"""Which lives are measured? Real keepers before a real store, with a database of a given size, seen by a proxy."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TypeVar

from frame import Unavailable

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "component"))

from keeper_pod import KeeperPod, Workflow
from store_proxy import StoreProxy

from dormouse_operator.dev.seaweedfs import SeaweedFS

T = TypeVar("T")
MB = 1_000_000
_ROW_BYTES = 10_000


@contextmanager
def workflow() -> Iterator[Workflow]:
    """A workflow in an empty store of its own."""
    with tempfile.TemporaryDirectory(prefix="dormouse-bench-") as name:
        server = SeaweedFS(Path(name) / "store")
        server.start()
        try:
            yield Workflow(server, Path(name) / "pods")
        finally:
            server.stop()


@asynccontextmanager
async def living(made: Workflow, epoch: int, **variables: str) -> AsyncIterator[KeeperPod]:
    """A life whose gate is open; killed at the end, unless it has ended."""
    pod = made.pod(epoch, DORMOUSE_GRACE_SECONDS="60", **variables)
    try:
        await pod.start()
        client = await pod.connect()
        async with asyncio.timeout(300):
            await client.gate()
        yield pod
    finally:
        if pod.process is not None and pod.process.returncode is None:
            await pod.kill()


@asynccontextmanager
async def seen_by_proxy(made: Workflow, delay_seconds: float = 0.0) -> AsyncIterator[tuple[StoreProxy, dict[str, str]]]:
    """A proxy before the store, and what tells a keeper to go through it."""
    async with StoreProxy(made.server.port, delay_seconds=delay_seconds).serving() as proxy:
        yield proxy, {"DORMOUSE_STORE_ENDPOINT": proxy.endpoint}


def fill(database: Path, size: int) -> None:
    """So many bytes that do not compress."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE note (text TEXT)")
        connection.execute("CREATE TABLE ballast (content BLOB)")
        rows = max(1, size // _ROW_BYTES)
        for first in range(0, rows, 1000):
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO ballast VALUES (?)",
                ((os.urandom(_ROW_BYTES),) for _ in range(min(1000, rows - first))),
            )
            connection.execute("COMMIT")


def run(story: Callable[[Workflow], Awaitable[T]]) -> T:
    """A story with a workflow of its own."""

    async def main() -> T:
        with workflow() as made:
            return await story(made)

    try:
        return asyncio.run(main())
    except TimeoutError as late:
        raise Unavailable("the machine is too busy: a keeper did not come up") from late
