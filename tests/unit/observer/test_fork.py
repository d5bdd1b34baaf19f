"""Does a fork go on from its event, as if the rest had never happened, and without a word to the original?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dormouse import Approval, Engine, RetryPolicy, Signal, Workflow, activity, activity_info, workflow
from dormouse.client.file import DatabaseFile
from dormouse.encryption import AesGcm
from dormouse.engine.ending import Status
from dormouse.engine.journal import Event, Kind
from dormouse.engine.sealing import Codec
from dormouse.errors import ExecutionPaused
from dormouse.testing import Durable
from dormouse_observer.forking.fork import Forked, Wanted, fork
from dormouse_observer.forking.rest import NotForked, can_be_answered, with_answer

go = Signal("go", str)
consent = Approval("consent", str)
calls: list[str] = []


@activity(retry=RetryPolicy(attempts=1))
async def price(name: str) -> int:
    calls.append(activity_info().idempotency_key)
    if name == "broken":
        raise OSError("no price")
    return len(name)


@workflow
async def part(name: str) -> int:
    return await price(name)


@workflow
async def shop(name: str) -> str:
    first = await price(name)
    second = await part("child")
    decision = await consent.request(name)
    await asyncio.sleep(60)
    word = await go.receive()
    return f"{first} {second} {decision.approved} {word}"


@workflow
async def waits() -> str:
    return await go.receive()


class Offer(msgspec.Struct):
    cents: int
    shop: str


@activity
async def offer(item: str) -> Offer:
    return Offer(len(item), "corner")


@workflow
async def buys(item: str) -> int:
    return (await offer(item)).cents


@activity
async def spell(word: str) -> str:
    return word


@workflow
async def spelled(word: str) -> str:
    return f"{await spell(word)}!"


WORKFLOWS: list[Workflow[..., Any]] = [shop, part, waits]


def record(folder: Path) -> Path:
    """One that has ended, one that failed, and one that waits."""
    folder.mkdir(exist_ok=True)
    durable = Durable(folder)

    async def run() -> None:
        async with durable.engine(WORKFLOWS) as engine:
            main = await engine.start(shop, "book", id="main")
            await engine.start(shop, "broken", id="failed")
            await engine.start(waits, id="other")
            await engine.sleep(1)
            (asked,) = await main.approvals()
            await main.approve(consent, asked.digest, by="ada")
            await engine.sleep(100)
            await main.signal(go, "went")
            await engine.sleep(1)

    asyncio.run(run())
    calls.clear()
    return durable.database


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded"))


def position(file: Path, kind: Kind, execution: str = "main", codec: Codec | None = None) -> int:
    with DatabaseFile(file, codec) as opened:
        return next(one.position for one in opened.events(opened.row(execution)) if one.kind == kind)


def forked(file: Path, folder: Path, kind: Kind, execution: str = "main", **wanted: Any) -> tuple[Path, Forked]:
    target = folder / "test.sqlite"
    return target, fork(file, target, Wanted(execution, position(file, kind, execution), **wanted), None)


def goes_on(target: Path, then: Callable[[Any], Any], workflows: Iterable[Workflow[..., Any]] = WORKFLOWS) -> Any:
    """Run the fork."""
    durable = Durable(target.parent)
    assert durable.database == target

    async def run() -> Any:
        async with durable.engine(workflows) as engine:
            await engine.sleep(1)
            return await then(engine)

    return asyncio.run(run())


def identity(file: Path) -> str:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute("SELECT value FROM dormouse_meta WHERE key = 'identity'").fetchone()
    return str(found)


def statuses(file: Path) -> dict[str, str]:
    with DatabaseFile(file) as opened:
        return {row.id: row.status for row in opened.rows()}


def test_a_fork_ends_with_its_event_and_is_paused_with_an_identity_of_its_own(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    target, made = forked(file, tmp_path, Kind.ACTIVITY_COMPLETED)
    with DatabaseFile(target) as opened:
        kinds = [event.kind for event in opened.events(opened.row("main"))]
        assert [one.kind for one in opened.show("main").waits_for or ()] == ["resume"]
    assert kinds == [Kind.EXECUTION_STARTED, Kind.ACTIVITY_SCHEDULED, Kind.ACTIVITY_COMPLETED]
    assert statuses(target) == {"main": Status.OPEN, "failed": Status.FAILED, "other": Status.OPEN}
    assert made.paused == 2
    assert identity(target) != identity(file)
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["test.sqlite"]


def test_two_forks_of_one_event_are_not_the_same(file: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, _ = forked(file, tmp_path / "one", Kind.ACTIVITY_COMPLETED)
    two, _ = forked(file, tmp_path / "two", Kind.ACTIVITY_COMPLETED)
    assert identity(one) != identity(two)


def test_a_message_to_a_paused_fork_is_refused_until_it_is_resumed(file: Path, tmp_path: Path) -> None:
    target, _ = forked(file, tmp_path, Kind.TIMER_FIRED)

    async def then(engine: Any) -> str:
        with pytest.raises(ExecutionPaused):
            await engine.handle("main").signal(go, "early")
        await engine.handle("main").resume()
        await engine.handle("main").signal(go, "late")
        return str(await engine.handle("main").result())

    assert goes_on(target, then) == "4 5 True late"


def test_an_edited_answer_is_what_the_code_goes_on_with_and_only_what_follows_is_called(
    file: Path, tmp_path: Path
) -> None:
    calls.clear()
    target, _ = forked(file, tmp_path, Kind.ACTIVITY_COMPLETED, answer=b"99", running=True, known=by_name())

    async def then(engine: Any) -> str:
        (asked,) = await engine.handle("main").approvals()
        await engine.handle("main").approve(consent, asked.digest, by="bob")
        await engine.handle("main").signal(go, "on")
        await engine.sleep(100)
        return str(await engine.handle("main").result())

    assert goes_on(target, then) == "99 5 True on"
    (called,) = calls
    assert called.startswith(f"{identity(target)}/")


def by_name() -> dict[str, Workflow[..., Any]]:
    return {one.name: one for one in WORKFLOWS}


def test_a_failed_answer_becomes_a_good_one(file: Path, tmp_path: Path) -> None:
    target, _ = forked(file, tmp_path, Kind.ACTIVITY_FAILED, "failed", answer=b"7", running=True)

    async def then(engine: Any) -> bool:
        return len(await engine.handle("failed").approvals()) == 1

    assert goes_on(target, then)


def test_a_child_that_began_later_is_gone_and_one_that_had_begun_goes_on(file: Path, tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    before, _ = forked(file, tmp_path / "before", Kind.ACTIVITY_COMPLETED)
    assert "main.2" not in statuses(before)
    with DatabaseFile(file) as opened:
        started = opened.events(opened.row("main.2"))[0].position
    child = tmp_path / "after" / "test.sqlite"
    fork(file, child, Wanted("main.2", started, running=True), None)
    assert statuses(child)["main.2"] == statuses(child)["main"] == Status.OPEN

    async def then(engine: Any) -> bool:
        return len(await engine.handle("main").approvals()) == 1

    assert goes_on(child, then)


def test_requests_and_timers_wait_again(file: Path, tmp_path: Path) -> None:
    (tmp_path / "asked").mkdir()
    (tmp_path / "set").mkdir()
    asked, _ = forked(file, tmp_path / "asked", Kind.APPROVAL_REQUESTED)
    with DatabaseFile(asked) as opened:
        assert [one.name for one in opened.approvals().approvals] == ["consent"]
    timed, _ = forked(file, tmp_path / "set", Kind.TIMER_SET)
    with closing(sqlite3.connect(timed)) as connection:
        assert connection.execute("SELECT count(*) FROM timer").fetchone() == (1,)


def test_only_leaves_out_all_others_also_from_free_pages(file: Path, tmp_path: Path) -> None:
    target, made = forked(file, tmp_path, Kind.ACTIVITY_COMPLETED, only=True)
    assert statuses(target) == {"main": Status.OPEN}
    assert made.paused == 1
    assert b"no price" in file.read_bytes()
    assert b"no price" not in target.read_bytes()


@pytest.mark.parametrize("codec", [None, AesGcm({"now": bytes(32)})], ids=["plain", "encrypted"])
def test_large_answers_are_edited_in_the_form_of_the_file(tmp_path: Path, codec: Codec | None) -> None:
    source, target = tmp_path / "source.sqlite", tmp_path / "fork.sqlite"

    async def run(file: Path) -> str:
        async with Engine(file, [spelled], codec=codec) as engine:
            if file == source:
                await engine.start(spelled, "ab", id="spelled")
            return str(await engine.result("spelled"))

    assert asyncio.run(run(source)) == "ab!"
    answer = "".join(f"{number} " for number in range(20_000))
    at = position(source, Kind.ACTIVITY_COMPLETED, "spelled", codec)
    fork(source, target, Wanted("spelled", at, f'"{answer}"'.encode(), running=True), codec)
    assert (b"19998 19999" in target.read_bytes()) == (codec is None)
    assert asyncio.run(run(target)) == f"{answer}!"


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        (Kind.TIMER_FIRED, b"1", "is no answer, so there is none to --edit"),
        (Kind.EXECUTION_COMPLETED, None, "is the end, and nothing would go on from there"),
        (
            Kind.ACTIVITY_COMPLETED,
            b'"dear"',
            "--edit does not fit event 4 .*: what price returns is of the type int; Expected",
        ),
        (Kind.CHILD_COMPLETED, b'"dear"', "what part returns is of the type int"),
        (Kind.EXECUTION_STARTED, b"1", "the input of shop is of the type str"),
        (Kind.SIGNAL_RECEIVED, b"1", "the value of the signal go is of the type str"),
        (Kind.ACTIVITY_COMPLETED, b" 4", "--edit has the answer that event 4 .ActivityCompleted. holds already"),
        (Kind.APPROVAL_DECIDED, b'{"outcome": "approved", "by": ""}', "--edit of a decision: `by` must say who"),
        (Kind.APPROVAL_DECIDED, b'"yes"', "--edit of a decision is"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    file: Path, tmp_path: Path, kind: Kind, answer: bytes | None, said: str
) -> None:
    with pytest.raises(NotForked, match=said):
        forked(file, tmp_path, kind, answer=answer, known=by_name())
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_no_object_where_one_belongs_is_told_its_fields(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    durable.run(buys, "tea", id="bought")
    at = position(durable.database, Kind.ACTIVITY_COMPLETED, "bought")
    for answer, said in (
        (b"4", "is of the type Offer; Expected `object`, got `int`; Offer has the fields cents, shop"),
        (b'{"cents": "4", "shop": "x"}', r"is of the type Offer; Expected `int`, got `str` - at `\$.cents`$"),
        (b'{"cents": 4, "shop": "x", "sohp": "y"}', r"unknown field `\$.sohp`; did you mean `shop`\?"),
    ):
        wanted = Wanted("bought", at, answer, known={"buys": buys})
        with pytest.raises(NotForked, match=said):
            fork(durable.database, tmp_path / "fork.sqlite", wanted, None)
    assert not (tmp_path / "fork.sqlite").exists()


def test_a_position_of_another_execution_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(NotForked, match="execution 'other' has no event 1: its newest run has those from"):
        fork(file, tmp_path / "fork.sqlite", Wanted("other", 1), None)


def test_a_file_is_never_replaced(file: Path, tmp_path: Path) -> None:
    (tmp_path / "test.sqlite").write_text("mine")
    with pytest.raises(NotForked, match="is there already"):
        forked(file, tmp_path, Kind.ACTIVITY_COMPLETED)
    assert (tmp_path / "test.sqlite").read_text() == "mine"


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_said_to_have_an_answer_can_be_given_another_one(kind: Kind) -> None:
    answered = True
    try:
        with_answer(Event(1, 1, kind, 0, None), b'{"outcome":"approved","by":"ada"}')
    except NotForked:
        answered = False
    assert can_be_answered(kind) == answered
