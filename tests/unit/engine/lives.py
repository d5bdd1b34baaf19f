"""How is a program lived, and lived again after its process died? One engine, a client that remembers, time that jumps.

Outside of the engine, and surviving it, are the client, which knows what was acknowledged to it, the world, which
knows what activities have done to it, and the clock.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from dormouse import (
    AnswerFailed,
    Codec,
    Engine,
    ExecutionFailed,
    Handle,
    InvalidInput,
    NotRetryable,
    Query,
    Signal,
    Update,
    Workflow,
    activity_info,
)
from dormouse.encryption import AesGcm
from dormouse.engine.clock import ManualClock
from dormouse.engine.durability import Durability

T = TypeVar("T")
_ROUNDS_FOR_THE_CLIENT = 8
COMPLETED, _GIVEN_UP = 1_000_001, 1_000_000


class Attempt(NamedTuple):
    """One attempt that has begun. The key names the call: without the file's identity, since a new file has another."""

    key: str
    number: int
    what: str


@dataclass
class World:
    """What activities do to it.

    Attributes:
        attempts: those of this life.
        witness: hears of each attempt before it does anything.
        said: what workflows say when they do not only repeat themselves.
        mended: whether what was broken works.
    """

    attempts: list[Attempt] = field(default_factory=list)
    witness: Callable[[Attempt], object] = field(default=lambda _: None)
    said: list[str] = field(default_factory=list)
    mended: bool = False

    def feels(self, what: object) -> None:
        """An attempt has begun."""
        info = activity_info()
        assert info.execution_id in info.idempotency_key
        self.attempts.append(Attempt(info.idempotency_key.partition("/")[2], info.attempt, f"{info.activity} {what}"))
        self.witness(self.attempts[-1])


world = World()


@dataclass
class Client:
    """Drives executions from outside. What was acknowledged in an earlier life it does not send again."""

    engine: Engine
    acknowledged: MutableMapping[str, Any]

    async def once(self, step: str, do: Callable[[], Awaitable[T]]) -> T:
        if step not in self.acknowledged:
            self.acknowledged[step] = await do()
        answer: T = self.acknowledged[step]
        return answer

    async def start(self, workflow: Workflow[..., Any], *value: Any, id: str = "main") -> Handle[Any]:  # noqa: A002
        async def start() -> str:
            return (await self.engine.start(workflow.name, *value, id=id, idempotency_key=f"start {id}")).id

        return self.engine.handle(await self.once(f"start {id}", start))

    async def signal(self, handle: Handle[Any], signal: Signal[Any], value: Any, key: str) -> None:
        await self.once(f"signal {key}", lambda: handle.signal(signal, value, idempotency_key=key))

    async def update(self, handle: Handle[Any], update: Update[Any, Any], value: Any, key: str) -> Any:
        """Its answer, or why there is none."""

        async def ask() -> Any:
            try:
                return await handle.update(update, value, idempotency_key=key)
            except (InvalidInput, AnswerFailed) as refusal:
                return type(refusal).__name__

        return await self.once(f"update {key}", ask)

    async def query(self, handle: Handle[Any], query: Query[Any]) -> Any:
        """Of one that has ended: the same whenever it is asked."""
        return await handle.query(query)

    async def cancel(self, handle: Handle[Any]) -> None:
        await self.once("cancel", handle.cancel)

    async def terminate(self, handle: Handle[Any]) -> None:
        await self.once("terminate", handle.terminate)

    async def retry(self, handle: Handle[Any]) -> None:
        async def retry() -> None:
            with suppress(NotRetryable):  # the answer to an earlier request got lost
                await handle.retry()

        await self.once("retry", retry)

    async def end(self, handle: Handle[Any], step: str = "end") -> Any:
        """Its result, or its failure as text; once it is known it is not asked for again."""

        async def wait() -> Any:
            try:
                return await handle.result()
            except ExecutionFailed as failed:
                return f"{failed.execution} {failed.verb}: {failed.cause_type}"

        return await self.once(f"{step} {handle.id}", wait)

    async def nothing_goes_on(self) -> None:
        """Wait until only the clock or a message can make something happen."""
        await self.engine.settled()


class Way(StrEnum):
    """How an engine goes about it; what programs come to is the same."""

    IN_MEMORY = "in memory"
    ONLY_IN_THE_FILE = "only in the file"
    """What waits leaves memory at once."""
    WRITING_MEANWHILE = "writing meanwhile"
    """Of what has happened the code hears one after the other, while the last is being written; and executions come
    back one after the other, while those before them go on."""
    ENCRYPTED = "encrypted"

    @contextmanager
    def taken(self) -> Iterator[dict[str, Any]]:
        """The engine's options; and thresholds other than in earnest, where it must not matter how long things take."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dormouse.engine.turns.told_first", lambda unheard, *_: unheard)
            if self == Way.ONLY_IN_THE_FILE:
                patch.setattr("dormouse.engine.dormancy._LONG_SECONDS", 1e-6)
                yield {"resting_in_memory": 0}
            elif self == Way.WRITING_MEANWHILE:
                patch.setattr("dormouse.engine.turns.told_first", lambda *_: 1)
                patch.setattr("dormouse.engine.recovery._SECONDS_AT_A_TIME", 0)
                yield {}
            else:
                yield {"codec": self.codec}

    @property
    def codec(self) -> Codec | None:
        return AesGcm({"one": b"k" * 32}) if self == Way.ENCRYPTED else None


Drive = Callable[[Client], Awaitable[Any]]


@dataclass
class Life:
    """What outlives a process: what its client knows, and the time. `live` goes on writing into it."""

    acknowledged: MutableMapping[str, Any] = field(default_factory=dict)
    now: int = ManualClock().now()
    way: Way = Way.IN_MEMORY

    def copy(self) -> Life:
        return replace(self, acknowledged=dict(self.acknowledged))


def live(
    path: Path,
    workflows: Iterable[Workflow[..., Any]],
    drive: Drive,
    life: Life,
    durability: Durability | None = None,
) -> Any:
    """Run a program to its end on this file, whatever an earlier life has left there."""

    world.attempts.clear()
    world.mended = False

    async def run(options: dict[str, Any]) -> Any:
        clock = ManualClock(life.now)
        async with Engine(path, workflows, clock=clock, durability=durability, **options) as engine:
            return await _while_time_passes(engine, clock, life, drive(Client(engine, life.acknowledged)))

    with life.way.taken() as options:
        return asyncio.run(run(options))


async def _while_time_passes(engine: Engine, clock: ManualClock, life: Life, driving: Awaitable[T]) -> T:
    """The clock jumps to where something is due, but only while neither the engine nor the client does anything."""
    drive = asyncio.ensure_future(driving)
    try:
        while not drive.done() and not engine.failure.done():
            await engine.settled()
            for _ in range(_ROUNDS_FOR_THE_CLIENT):
                await asyncio.sleep(0)
            due = clock.next_due()
            if engine.standing().can_hibernate and due is not None and not drive.done():
                life.now = max(life.now, due)
                clock.jump_to(due)
            else:
                await asyncio.wait({drive}, timeout=0.001)
        return await drive
    finally:
        drive.cancel()


# What a file says.


def ended_calls(path: Path) -> dict[str, int]:
    """The calls that no life may begin again, and of the others the last attempt that is known to have failed."""
    ended: dict[str, int] = defaultdict(int)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT execution.id, event.command, event.kind, event.attempt FROM event "
            "JOIN execution ON execution.key = event.execution WHERE event.kind IN "
            "('ActivityCompleted', 'ActivityFailed', 'ActivityCancelled', 'AttemptFailed', 'ExecutionRetried') "
            "ORDER BY event.position"
        )
        for execution, command, kind, attempt in rows:
            call = f"{execution}/{command}"
            if kind == "ExecutionRetried":  # its failures, and what followed from them, may be tried again
                ended = defaultdict(int, {one: last for one, last in ended.items() if last == COMPLETED})
            else:
                ended[call] = {"AttemptFailed": attempt, "ActivityCompleted": COMPLETED}.get(kind, _GIVEN_UP)
    return ended


def begun_again(before: dict[str, int], attempts: Iterable[Attempt]) -> list[Attempt]:
    """Attempts that a later life began though the file knew how they had ended."""
    return [one for one in attempts if one.number <= before.get(one.key, 0)]


def message_keys(path: Path) -> list[str]:
    """The idempotency keys of all messages that the logs hold."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT key FROM event WHERE key IS NOT NULL AND kind IN ('SignalReceived', 'UpdateAccepted') "
            "ORDER BY position"
        )
        return [key for (key,) in rows]


def kinds(path: Path) -> set[str]:
    """The kinds of events that the file holds."""
    with closing(sqlite3.connect(path)) as connection:
        return {kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM event")}


def content(path: Path) -> str:
    """All that the file says, once it has recovered from whatever stopped its writer; it must be sound."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # a copy that nobody needs
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return "\n".join(connection.iterdump())
