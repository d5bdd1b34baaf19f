"""What do tests of the engine share? Stores that answer when told, and a disk that keeps every commit."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from dormouse.engine.clock import ManualClock
from dormouse.engine.disk import Done, Work
from dormouse.engine.durability import LocalOnly
from dormouse.engine.engine import Engine

T = TypeVar("T")


class HeldStore:
    """A keeper's barrier that answers only when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken: Exception | None = None
        self._open = False
        self._waiting: list[asyncio.Future[None]] = []

    async def barrier(self) -> None:
        self.asked += 1
        if not self._open:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]
        if self.broken is not None:
            raise self.broken

    def answer(self) -> None:
        """Answer who has asked up to now."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def answer_until_done(self, task: asyncio.Future[T]) -> T:
        """Answer whoever asks until this is done."""
        while not task.done():
            self.answer()
            await asyncio.sleep(0.001)
        return task.result()

    def open(self) -> None:
        """Answer everyone from now on."""
        self._open = True
        self.answer()

    def close(self) -> None:
        """Answer only when told to, from now on."""
        self._open, self.asked = False, 0


class EveryCommit(LocalOnly):
    """Keeps a copy of the database as it was after each commit: what a kill at that moment leaves behind."""

    def __init__(self, database: Path, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self.copies: list[Path] = []

    def after_commit(self) -> None:
        copy = self._folder / f"after-{len(self.copies)}.sqlite"
        with sqlite3.connect(self._database) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        target.close()
        self.copies.append(copy)


class _AtOnce:
    """A thread that keeps nobody waiting."""

    def do(self, work: Work, done: Done, *, at_once: bool = False) -> None:  # noqa: ARG002 - it always is
        error = None
        try:
            work()
        except Exception as raised:  # noqa: BLE001 - whoever asked hears of it
            error = raised
        asyncio.get_running_loop().call_soon(done, error)

    do_here = do

    def wait(self, seconds: float) -> None: ...

    def stop(self) -> None: ...


@contextmanager
def committing_at_once() -> Iterator[None]:
    """An engine that is entered here has no thread for its commits: however slow the disk, they are done at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dormouse.engine.writing.DiskThread", _AtOnce)
        yield


async def settle() -> None:
    """Let everything happen that can happen without waiting for a clock, a store or a disk."""
    for _ in range(50):
        await asyncio.sleep(0.001)


async def until(holds: Callable[[], object]) -> None:
    """Wait for something that is known to come."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


async def until_asleep(engine: Engine) -> None:
    """Wait until nothing runs any more."""
    await until(lambda: engine.standing().can_hibernate)


async def advance(clock: ManualClock, engine: Engine, seconds: float) -> None:
    """Move the clock and let what became due happen."""
    clock.advance(seconds)
    await asyncio.sleep(0)
    await until_asleep(engine)


def kinds(path: Path, execution_id: str) -> list[tuple[str, int | None]]:
    """Kinds and commands of an execution's events, read from the file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(
            "SELECT event.kind, event.command FROM event JOIN execution ON execution.key = event.execution "
            "WHERE execution.id = ? ORDER BY position",
            (execution_id,),
        ).fetchall()
    finally:
        connection.close()
