"""How is a random program lived? What happens next is drawn: an attempt ends, time passes, somebody speaks, all dies.

All that is drawn comes from one `Random`, between two draws everything comes to rest, and no thread can be early or
late: so the same seed is the same life, with the same crashes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import msgspec
import pytest
from checked_logs import logs_are_the_models, orphans_that_go_on
from engine_lab import committing_at_once
from lives import Attempt, Way, begun_again, ended_calls, message_keys, world
from random_programs import Drawing, Program, whole
from reference_model import plainly

from dormouse import (
    DormouseError,
    Engine,
    EngineStopped,
    RetryPolicy,
    Signal,
    Update,
    activity,
    activity_info,
    continue_as_new,
    random,
    workflow,
    workflow_info,
)
from dormouse.client.file import DatabaseFile
from dormouse.engine.clock import ManualClock
from dormouse.testing import replay

note = Signal("note", str)
add = Update("add", int, int)
_ROUNDS_TO_THE_GATES = 6
_MOST_STEPS = 3000


class Hopeless(Exception):
    """Not to be tried again."""


@dataclass
class Gates:
    """Attempts wait here until they are let on."""

    waiting: dict[Attempt, asyncio.Future[None]] = field(default_factory=dict)

    async def wait(self, attempt: Attempt) -> None:
        self.waiting[attempt] = asyncio.get_running_loop().create_future()
        try:
            await self.waiting[attempt]
        finally:
            del self.waiting[attempt]


gates = Gates()


@activity(retry=RetryPolicy(initial_seconds=5, jitter=0.5, non_retryable=(Hopeless,)))
async def act(name: str, failures: int) -> str:
    world.feels(name)
    await gates.wait(world.attempts[-1])
    if failures < 0 and not world.mended:
        raise Hopeless(name)
    if activity_info().attempt <= failures:
        raise ConnectionError(name)
    return name.upper()


class _Durable:
    """The `Api` of programs, by Dormouse."""

    def act(self, name: str, failures: int) -> Awaitable[str]:
        return act(name, failures)

    def receive(self) -> Awaitable[str]:
        return note.receive()

    def child(self, program: Program, parent_close: Any, name: str) -> Awaitable[Any]:
        called = run.with_options(parent_close=parent_close)
        return called.with_options(id=f"{workflow_info().execution_id}-{name}")(program) if name else called(program)

    def chance(self) -> float:
        return random()

    def answer_updates(self, answer: Callable[[int], Coroutine[Any, Any, int]]) -> None:
        add.answer(answer)

    def continue_as_new(self, program: Program) -> NoReturn:
        continue_as_new(program)


@workflow
async def run(program: Program) -> Any:
    return await whole(program, _Durable())


class Died(Exception):
    """The process has come to its end."""


class Mortal:
    """A durability with which the process dies at a commit, before it or after it."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._dies: str | None = None

    def die_soon(self) -> None:
        self._dies = self._chance.choice(("before", "after"))

    def before_commit(self) -> Awaitable[None] | None:
        self._die("before")
        return None

    def after_commit(self) -> Awaitable[None] | None:
        if self._chance.random() < 0.3:
            return self._count_later()
        self._die("after")
        return None

    async def flush(self) -> None: ...

    async def _count_later(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self._die("after")

    def _die(self, when: str) -> None:
        if self._dies == when:
            raise Died(f"{when} a commit")


@contextmanager
def nothing_by_accident(chance: Random) -> Iterator[None]:
    """No thread, no time that passes, no secret number."""
    with committing_at_once(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("dormouse.engine.turns._SECONDS_UNTIL_WRITTEN", 0)
        patch.setattr("dormouse.engine.recovery._SECONDS_AT_A_TIME", chance.choice((0, 3600)))
        patch.setattr("secrets.token_bytes", chance.randbytes)
        patch.setattr("secrets.token_hex", lambda count=32: chance.randbytes(count).hex())
        yield


@dataclass
class Story:
    """One world with its executions, over all their lives."""

    path: Path
    chance: Random
    races: bool = True
    steps: int = 30
    now: int = ManualClock().now()
    programs: dict[str, Program] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    messages: dict[str, tuple[str, Signal[str] | Update[int, int], int]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        world.mended = False
        gates.waiting.clear()
        for number in range(self.chance.choice((1, 1, 2))):
            self.programs[f"main{number}"] = Drawing(self.chance, races=self.races).program()

    def live(self) -> None:
        """Live until all executions have ended."""
        with nothing_by_accident(self.chance):
            self._live()

    def _live(self) -> None:
        calls: dict[str, str] = {}
        for _ in range(_MOST_STEPS):
            world.attempts.clear()
            before = ended_calls(self.path) if self.path.exists() else {}
            way = self.chance.choice((Way.IN_MEMORY, Way.IN_MEMORY, Way.ONLY_IN_THE_FILE, Way.WRITING_MEANWHILE))
            with way.taken() as options:
                over = asyncio.run(self._one_life(options))
            retried = self._retried()  # what had failed there, or followed from it, may run again
            again = begun_again(before, world.attempts)
            assert [one for one in again if one.key.partition("/")[0] not in retried] == []
            for attempt in world.attempts:
                assert calls.setdefault(attempt.key, attempt.what) == attempt.what, "a key stands for two calls"
            self.check()
            if over:
                return
        raise AssertionError("it does not come to an end")

    async def _one_life(self, options: dict[str, Any]) -> bool:
        self.told.append("life")
        clock, mortal = ManualClock(self.now), Mortal(self.chance)
        requests: set[asyncio.Task[None]] = set()
        async with Engine(self.path, [run], clock=clock, durability=mortal, **options) as engine:
            try:
                await self._begin(engine, requests)
                while not engine.failure.done():
                    await self._rest(engine)
                    self.now = clock.now()
                    if self._all_begun and not engine.standing().open:
                        if self.races and self.chance.random() < 0.7 and (failed := self._failed()):
                            world.mended = True
                            self._ask_to(engine, requests, "retry", self.chance.choice(failed))
                            continue
                        return True
                    if self.steps > 0 and self.chance.random() < 0.06:
                        self.told.append("restart")
                        return False
                    self._step(engine, clock, mortal, requests)
            finally:
                for request in requests:
                    request.cancel()
                await asyncio.gather(*requests, return_exceptions=True)
        assert isinstance(engine.failure.result(), Died), engine.failure.result()
        self.told.append("died")
        return False

    async def _rest(self, engine: Engine) -> None:
        """Everything that can happen has happened."""
        for _ in range(_ROUNDS_TO_THE_GATES):
            await engine.settled(though_attempts_run=True)
            await asyncio.sleep(0)

    @property
    def _all_begun(self) -> bool:
        return all(f"start {name}" in self.acknowledged for name in self.programs)

    async def _begin(self, engine: Engine, requests: set[asyncio.Task[None]]) -> None:
        for name, program in self.programs.items():
            if f"start {name}" not in self.acknowledged:
                self._ask(requests, f"start {name}", partial(engine.start, run, program, id=name))
        for key in [one for one in self.messages if one not in self.acknowledged | self.refused]:
            self._send(engine, requests, key)  # its answer got lost

    def _ask(self, requests: set[asyncio.Task[None]], what: str, asking: Callable[[], Awaitable[Any]]) -> None:
        """Remember when it is acknowledged."""

        async def ask() -> None:
            try:
                await asking()
                self.acknowledged.add(what)
            except EngineStopped:
                pass
            except DormouseError:
                self.refused.add(what)

        requests.add(asyncio.ensure_future(ask()))

    def _step(
        self, engine: Engine, clock: ManualClock, mortal: Mortal, requests: set[asyncio.Task[None]]
    ) -> None:  # fmt: skip
        """Draw what happens next. In the end nobody speaks or dies any more, and all that waits is let on."""
        self.steps -= 1
        chance, ending = self.chance, self.steps < 0
        drawn = chance.random()
        open_gates = sorted(gates.waiting)
        if ending:
            drawn = 0.3 * drawn if open_gates else 0.35
        if drawn < 0.3 and open_gates:
            for attempt in chance.sample(open_gates, chance.randint(1, len(open_gates))):
                self.told.append(f"let on {attempt}")
                gates.waiting[attempt].set_result(None)
        elif drawn < 0.55 and (due := clock.next_due()) is not None:
            self.told.append("time")
            clock.jump_to(due + chance.choice((0, 0, 0, 7_000_000)))
        elif (ending or drawn < 0.75) and self.races:
            self._speak(engine, requests, ending=ending)
        elif drawn < 0.8 and self.races:
            self._end_one(engine, requests)
        elif drawn < 0.85:
            self.told.append("dies soon")
            mortal.die_soon()

    def _speak(self, engine: Engine, requests: set[asyncio.Task[None]], *, ending: bool) -> None:
        waiting = [one.id for one in engine.read.who("waiting", 100)] if ending else list(self.programs)
        for name in waiting or list(self.programs):
            number = len(self.messages) + 1
            signals = ending or self.chance.random() < 0.6
            self.messages[f"message {number}"] = (name, note if signals else add, number)
            self._send(engine, requests, f"message {number}")

    def _send(self, engine: Engine, requests: set[asyncio.Task[None]], key: str) -> None:
        name, message, number = self.messages[key]
        handle = engine.handle(name)
        self.told.append(f"{key} to {name}")
        if isinstance(message, Signal):
            self._ask(requests, key, partial(handle.signal, message, f"word {number}", idempotency_key=key))
        else:
            self._ask(requests, key, partial(handle.update, message, number, idempotency_key=key))

    def _end_one(self, engine: Engine, requests: set[asyncio.Task[None]]) -> None:
        how = self.chance.choice(("cancel", "cancel", "terminate"))
        self._ask_to(engine, requests, how, self.chance.choice(list(self.programs)))

    def _ask_to(self, engine: Engine, requests: set[asyncio.Task[None]], how: str, name: str) -> None:
        self.told.append(f"{how} {name}")
        self._ask(requests, f"{how} {name}", getattr(engine.handle(name), how))

    def _failed(self) -> list[str]:
        """The programs that did not complete, and may be retried."""
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute("SELECT id FROM execution WHERE status IN ('Failed', 'Cancelled', 'Terminated')")
            return [name for (name,) in found if name in self.programs]

    def check(self) -> None:
        """What must hold between any two lives, and at the end."""
        replay(self.path, [run])
        keys = message_keys(self.path)
        messages = [one for one in self.acknowledged if one.startswith("message")]
        assert len(keys) == len(set(keys)), "a message was taken twice"
        assert set(messages) <= set(keys), "an acknowledged message was lost"
        logs_are_the_models(self.path)
        assert list(orphans_that_go_on(self.path)) == []

    def _retried(self) -> set[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            query = (
                "SELECT id FROM execution WHERE key IN (SELECT execution FROM event WHERE kind = 'ExecutionRetried')"
            )
            return {name for (name,) in connection.execute(query)}

    def results(self) -> dict[str, Any]:
        """What each program came to: its result, or of which type its failure is."""
        with DatabaseFile(self.path) as file:
            views = {name: file.outcome(name) for name in self.programs}
        return {
            name: view.error.type if view.error else msgspec.json.decode(view.result or b"null")
            for name, view in views.items()
        }


def plain_result(program: Program) -> Any:
    """What a program without races comes to, or raises."""
    try:
        return plainly(program)
    except Exception as error:  # noqa: BLE001 - whatever a program raises
        return type(error).__name__
