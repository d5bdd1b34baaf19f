"""What can be said to a running workflow, and is each message taken once?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from engine_lab import HeldStore, committing_at_once, kinds, settle, until_asleep

from dormouse import (
    AnswerFailed,
    Engine,
    ExecutionClosed,
    InvalidDefinition,
    InvalidInput,
    NotInWorkflow,
    Query,
    RequestConflict,
    Signal,
    UnknownMessage,
    Update,
    activity,
    random,
    workflow,
)
from dormouse.engine.durability import LocalOnly, SyncDurability


@dataclass(frozen=True)
class Word:
    text: str


ran: list[str] = []
word = Signal("word", Word)
stop = Signal("stop")
heard = Query("heard", list[str])
broken = Query("broken", int)
spell = Update("spell", Word, int)
noise: Signal[str] = Signal("noise", str)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@activity
async def spelled(text: str) -> int:
    ran.append(text)
    return len(text)


@workflow
async def listens() -> list[str]:
    words: list[str] = []

    def short(one: Word) -> None:
        if len(one.text) > 9:
            raise ValueError("too long a word")

    async def spell_it(one: Word) -> int:
        if one.text == "wrong":
            raise ValueError("no such word")
        return await spelled(one.text)

    async def listen() -> None:
        while True:
            words.append((await word.receive()).text)

    heard.answer(lambda: words)
    broken.answer(lambda: int(random() * 10))
    spell.answer(spell_it, check=short)
    listening = asyncio.create_task(listen())
    await stop.receive()
    listening.cancel()
    return words


@workflow
async def deaf() -> None:
    await asyncio.sleep(3600)


def drive(path: Path, use: Callable[[Engine], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Engine(path / "db.sqlite", [listens, deaf]) as engine:
            return await use(engine)

    return asyncio.run(run())


def test_signals_are_received_in_their_order_also_those_that_come_before_they_are_waited_for(tmp_path: Path) -> None:
    async def use(engine: Engine) -> list[str]:
        handle = await engine.start(listens)
        for text in ("one", "two", "three"):
            await handle.signal(word, Word(text))
        await handle.signal(stop)
        return await handle.result()

    assert drive(tmp_path, use) == ["one", "two", "three"]


def test_a_signal_with_a_key_is_received_once_also_by_the_next_life_and_after_the_end(tmp_path: Path) -> None:
    async def once(engine: Engine) -> None:
        handle = await engine.start(listens, id="one")
        for _ in range(2):
            await asyncio.gather(*(handle.signal(word, Word("one"), idempotency_key="k") for _ in range(3)))
        with pytest.raises(RequestConflict):
            await handle.signal(word, Word("other"), idempotency_key="k")

    async def end(engine: Engine) -> list[str]:
        handle = engine.handle("one", listens)
        await handle.signal(word, Word("one"), idempotency_key="k")
        await handle.signal(stop)
        result = await handle.result()
        await handle.signal(word, Word("one"), idempotency_key="k")
        with pytest.raises(ExecutionClosed, match=r"has ended as Completed; start a new one$"):
            await handle.signal(word, Word("one"), idempotency_key="new")
        return result

    drive(tmp_path, once)
    assert drive(tmp_path, end) == ["one"]


def test_a_query_sees_the_workflows_variables_and_leaves_no_trace(tmp_path: Path) -> None:
    async def use(engine: Engine) -> tuple[list[str], list[str]]:
        handle = await engine.start(listens, id="one")
        await handle.signal(word, Word("one"))
        open_answer = await handle.query(heard)
        await handle.signal(stop)
        await handle.result()
        return open_answer, await handle.query(heard)

    assert drive(tmp_path, use) == (["one"], ["one"])
    assert "Query" not in "".join(kind for kind, _ in kinds(tmp_path / "db.sqlite", "one"))


def test_a_query_must_not_ask_for_chance(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await engine.start(listens)
        with pytest.raises(NotInWorkflow, match="must only look"):
            await handle.query(broken)

    drive(tmp_path, use)


def test_an_update_gives_its_result_and_is_done_once(tmp_path: Path) -> None:
    async def use(engine: Engine) -> list[int]:
        handle = await engine.start(listens, id="one")
        asked = [handle.update(spell, Word("seven"), idempotency_key="k") for _ in range(3)]
        return [*await asyncio.gather(*asked), await handle.update(spell, Word("four"))]

    async def again(engine: Engine) -> tuple[int, int]:
        handle = engine.handle("one", listens)
        first = await handle.update(spell, Word("seven"), idempotency_key="k")
        await handle.signal(stop)
        await handle.result()
        return first, await handle.update(spell, Word("seven"), idempotency_key="k")

    assert drive(tmp_path, use) == [5, 5, 5, 4]
    assert drive(tmp_path, again) == (5, 5)
    assert ran == ["seven", "four"]


def test_what_a_check_refuses_leaves_no_trace_and_what_an_answer_raises_is_told(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await engine.start(listens, id="one")
        with pytest.raises(InvalidInput, match="too long a word"):
            await handle.update(spell, Word("antidisestablishmentarianism"))
        for _ in range(2):
            with pytest.raises(AnswerFailed, match="ValueError: no such word"):
                await handle.update(spell, Word("wrong"), idempotency_key="k")

    drive(tmp_path, use)
    recorded = [kind for kind, _ in kinds(tmp_path / "db.sqlite", "one") if kind.startswith("Update")]
    assert recorded == ["UpdateAccepted", "UpdateFailed"]


def test_what_does_not_fit_or_does_not_exist_is_refused(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await engine.start(listens)
        control = await engine.control()
        with pytest.raises(InvalidInput, match=r"the value of the signal word does not fit: .*`\$\.txt`"):
            await control.signal(handle.id, "word", b'{"txt": "one"}', None)
        with pytest.raises(InvalidInput, match=r"does not fit: Expected `object`, got `int`; Word has the fields \w+"):
            await control.signal(handle.id, "word", b"3", None)
        with pytest.raises(UnknownMessage, match=r"no signal 'wrod'; there are: .*word"):
            await control.signal(handle.id, "wrod", b"{}", None)
        silent = await engine.start(deaf)
        with pytest.raises(UnknownMessage, match="does not answer the query 'heard' now"):
            await silent.query(heard)
        with pytest.raises(UnknownMessage, match="does not answer the update 'spell' now"):
            await silent.update(spell, Word("one"))

    drive(tmp_path, use)


def test_an_update_that_the_workflow_does_not_live_to_do_is_told_so(tmp_path: Path) -> None:
    slow = Update("slow", int, int)

    @workflow
    async def hasty() -> str:
        async def never(number: int) -> int:
            return await asyncio.get_running_loop().create_future() or number

        slow.answer(never)
        await asyncio.sleep(0.05)
        return "done"

    async def run() -> None:
        async with Engine(tmp_path / "db.sqlite", [hasty]) as engine:
            handle = await engine.start(hasty)
            with pytest.raises(ExecutionClosed, match="the update is not done"):
                await handle.update(slow, 1)

    asyncio.run(run())


class Permitted(LocalOnly):
    """Commits when it is told to."""

    def __init__(self) -> None:
        self.commits = asyncio.Semaphore(0)

    async def before_commit(self) -> None:
        await self.commits.acquire()


@committing_at_once()
def test_an_update_that_ends_the_workflow_is_answered_again_before_the_file_has_its_end(tmp_path: Path) -> None:
    doubled = Update("doubled", int, int)

    @workflow
    async def doubles_once() -> None:
        done = asyncio.Event()

        def answer(number: int) -> int:
            done.set()
            return 2 * number

        doubled.answer(answer)
        await done.wait()

    async def run() -> list[int]:
        permitted = Permitted()
        async with Engine(tmp_path / "db.sqlite", [doubles_once, deaf], durability=permitted) as engine:
            permitted.commits.release()
            handle = await engine.start(doubles_once, id="one")
            first = asyncio.create_task(handle.update(doubled, 4, idempotency_key="k"))
            await settle()
            other = asyncio.create_task(engine.start(deaf))
            await settle()
            permitted.commits.release()  # the update counts, and the code ends, while the other's start is written
            await settle()
            second = asyncio.create_task(handle.update(doubled, 4, idempotency_key="k"))
            await settle()
            for _ in range(9):
                permitted.commits.release()
            await other
            return [await first, await second]

    assert asyncio.run(run()) == [8, 8]


def test_messages_are_only_taken_in_a_workflow() -> None:
    with pytest.raises(NotInWorkflow, match="only a workflow can use the signal 'word'"):
        word.receive()  # type: ignore[unused-coroutine]


def test_two_messages_of_one_kind_need_two_names(tmp_path: Path) -> None:
    one, other = Signal("same", int), Signal("same", str)

    @workflow
    async def confused() -> object:
        return await one.receive(), await other.receive()

    with pytest.raises(InvalidDefinition, match=r"two signals of .* are named 'same'"):
        Engine(tmp_path / "db.sqlite", [confused])


def test_a_workflow_that_waits_for_a_signal_lets_the_pod_rest_and_says_so(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        await engine.start(listens, id="one")
        await until_asleep(engine)
        waits = engine.read.waits_for("one")
        assert [(one.kind, one.name) for one in waits] == [("signal", "stop"), ("signal", "word")]
        assert engine.standing().waiting == 1

    drive(tmp_path, use)


@committing_at_once()
def test_a_signal_is_acknowledged_once_it_is_in_the_store_and_lost_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        store = HeldStore()
        async with Engine(tmp_path / "db.sqlite", [listens], durability=SyncDurability(store)) as engine:
            starting = asyncio.create_task(engine.start(listens, id="one"))
            handle = await store.answer_until_done(starting)
            telling = asyncio.create_task(handle.signal(word, Word("one"), idempotency_key="k"))
            await settle()
            again = asyncio.create_task(handle.signal(word, Word("one"), idempotency_key="k"))
            asking = asyncio.create_task(handle.query(heard))
            await settle()
            assert not telling.done()
            assert not again.done()
            assert await asking == []
            store.open()
            await asyncio.gather(telling, again)
            assert await handle.query(heard) == ["one"]

    asyncio.run(run())


def test_keys_cost_nothing_where_there_are_none(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        handle = await engine.start(listens)
        await handle.signal(word, Word("one"))

    drive(tmp_path, use)
    connection = sqlite3.connect(tmp_path / "db.sqlite")
    assert connection.execute("SELECT count(*) FROM event WHERE key IS NOT NULL").fetchone() == (0,)
    connection.close()


def test_a_message_that_is_used_as_a_name_of_another_module_is_found(tmp_path: Path) -> None:
    elsewhere = ModuleType("elsewhere")
    elsewhere.go = Signal("go_elsewhere", str)  # type: ignore[attr-defined]
    elsewhere.unused = Signal("unused", str)  # type: ignore[attr-defined]

    async def helper() -> str:
        return str(await elsewhere.go.receive())

    @workflow
    async def hears() -> str:
        return await helper()

    async def scenario() -> str:
        async with Engine(tmp_path / "db.sqlite", [hears]) as engine:
            handle = await engine.start(hears)
            with pytest.raises(UnknownMessage, match=r"has no signal 'unused'; there are: .*go_elsewhere"):
                await handle.signal("unused", "a")
            await handle.signal("go_elsewhere", "b")
            return await handle.result()

    assert asyncio.run(scenario()) == "b"
