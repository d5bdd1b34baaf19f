"""Are a step's own rows committed with its result, and can it touch nothing else?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engine_lab import EveryCommit, HeldStore, until

from dormouse import (
    Engine,
    ExecutionFailed,
    InvalidDefinition,
    NotInWorkflow,
    RetryPolicy,
    TransactionRefused,
    Workflow,
    activity,
    activity_info,
    transaction,
    workflow,
)
from dormouse.engine.clock import ManualClock
from dormouse.engine.durability import AsyncDurability
from dormouse.engine.transactions import refused
from dormouse.testing import Durable

ONCE = RetryPolicy(attempts=1)


@transaction(retry=ONCE)
def run_sql(tables: sqlite3.Connection, statements: list[str]) -> list[Any]:
    found: list[Any] = []
    for statement in statements:
        found += tables.execute(statement).fetchall()
    return found


@transaction(retry=RetryPolicy(initial_seconds=0, attempts=3))
def add(tables: sqlite3.Connection, name: str, amount: int = 1) -> int:
    tables.execute("CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, amount INTEGER)")
    tables.execute(
        "INSERT INTO account VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount", (name, amount)
    )
    if name == "shaky" and activity_info().attempt < 3:
        raise ConnectionError("not yet")
    if name == "broken":
        raise ValueError("never")
    (now,) = tables.execute("SELECT amount FROM account WHERE name = ?", (name,)).fetchone()
    return int(now)


@activity
async def echo(text: str) -> str:
    return text


@workflow
async def sql(statements: list[str]) -> list[Any]:
    return await run_sql(statements)


@workflow
async def adds(names: list[str]) -> list[Any]:
    done = await asyncio.gather(*(add(name, amount=2) for name in names), return_exceptions=True)
    return [str(one) if isinstance(one, Exception) else one for one in done]


@workflow
async def one_after_the_other(names: list[str]) -> list[Any]:
    return [(await add(name), await echo(name)) for name in names]


ALL: list[Workflow[..., Any]] = [sql, adds, one_after_the_other]


def run(path: Path, name: str, value: object, **options: Any) -> Any:
    async def go() -> Any:
        async with Engine(path, ALL, **options) as engine:
            return await (await engine.start(name, value, id=f"{name}-1")).result()

    return asyncio.run(go())


def accounts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'account'").fetchone():
            return {}
        return dict(connection.execute("SELECT name, amount FROM account"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db.sqlite"


def test_rows_and_result_are_there_together_after_every_commit(path: Path, tmp_path: Path) -> None:
    commits = EveryCommit(path, tmp_path)
    names = ["a", "b", "a", "c"]
    result = run(path, "one_after_the_other", names, durability=commits)
    assert result == [[1, "a"], [1, "b"], [2, "a"], [1, "c"]]
    seen = set()
    for copy in commits.copies:
        with closing(sqlite3.connect(copy)) as connection:
            query = "SELECT count(*) FROM event AS done JOIN event AS asked USING (execution, command) "
            query += "WHERE done.kind = 'ActivityCompleted' AND asked.kind = 'ActivityScheduled' AND asked.name = 'add'"
            (recorded,) = connection.execute(query).fetchone()
        assert sum(accounts(copy).values()) == recorded
        seen.add(recorded)
        assert run(copy, "one_after_the_other", names) == result
        assert accounts(copy) == {"a": 2, "b": 1, "c": 1}
    assert seen == {0, 1, 2, 3, 4}


def test_what_failed_has_written_nothing_and_the_others_of_its_turn_have(path: Path) -> None:
    said = run(path, "adds", ["a", "broken", "shaky", "a"])
    assert said[0] == 2
    assert said[1] == "add failed after 3 attempts: ValueError: never"
    assert said[2:] == [2, 4]
    assert accounts(path) == {"a": 4, "shaky": 2}


def test_a_result_that_does_not_fit_takes_its_rows_back(path: Path) -> None:
    @transaction
    def lies(tables: sqlite3.Connection) -> int:
        tables.execute("CREATE TABLE lie (a)")
        return "none"  # type: ignore[return-value]

    @workflow
    async def go() -> None:
        await lies()

    async def live() -> None:
        async with Engine(path, [go]) as engine:
            await (await engine.start(go)).result()

    with pytest.raises(ExecutionFailed, match="the result of lies does not fit"):
        asyncio.run(live())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'lie'").fetchall() == []


def test_tables_of_any_kind_are_made_changed_and_dropped(path: Path) -> None:
    statements = [
        "CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT UNIQUE, timer REAL DEFAULT 1)",
        "CREATE INDEX item_timer ON item (timer)",
        "CREATE TABLE log (what TEXT)",
        "CREATE TRIGGER tell AFTER INSERT ON item BEGIN INSERT INTO log VALUES (new.event); END",
        "CREATE VIEW both AS SELECT event, what FROM item JOIN log ON what = event",
        "INSERT INTO item (event) VALUES ('a'), ('b')",
        "ALTER TABLE item ADD COLUMN colour TEXT",
        "ALTER TABLE log RENAME TO protocol",
        "SAVEPOINT mine",
        "DELETE FROM item WHERE event = 'b'",
        "ROLLBACK TO mine",
        "RELEASE mine",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT max(x) FROM n",
        "SELECT event, what FROM both ORDER BY event",
        "DROP VIEW both",
        "DROP TRIGGER tell",
        "DROP INDEX item_timer",
        "SELECT name FROM sqlite_master WHERE name LIKE 'item%'",
    ]
    assert run(path, "sql", statements) == [[3], ["a", "a"], ["b", "b"], ["item"]]


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["SELECT * FROM event"], "event is the engine's; give your tables names of their own"),
        (["SELECT count(*) FROM execution"], "execution is the engine's"),
        (["DELETE FROM EVENT"], "event is the engine's"),
        (["UPDATE timer SET due_at = 0"], "timer is the engine's"),
        (["INSERT INTO dormouse_meta VALUES ('a', 'b')"], "dormouse_meta is the engine's"),
        (["DROP TABLE heartbeat"], "heartbeat is the engine's"),
        (["ALTER TABLE event ADD COLUMN mine"], "event is the engine's"),
        (["CREATE INDEX mine ON event (at)"], "event is the engine's"),
        (["CREATE TRIGGER mine AFTER INSERT ON event BEGIN SELECT 1; END"], "event is the engine's"),
        (["CREATE TABLE Dormouse_Mine (a)"], "Dormouse_Mine is the engine's"),
        (["CREATE TABLE _litestream_seq (a)"], "_litestream_seq is the engine's"),
        (["CREATE VIEW spy AS SELECT * FROM event", "SELECT * FROM spy"], "event is the engine's"),
        (["CREATE TEMP TABLE event (a)"], "BEGIN, COMMIT, ROLLBACK, ATTACH"),
        (["COMMIT"], "BEGIN, COMMIT, ROLLBACK, ATTACH"),
        (["ROLLBACK"], "BEGIN, COMMIT, ROLLBACK, ATTACH"),
        (["RELEASE dormouse_step"], "dormouse_step is the engine's"),
        (["ATTACH ':memory:' AS other"], "BEGIN, COMMIT, ROLLBACK, ATTACH"),
        (["PRAGMA writable_schema = ON"], "BEGIN, COMMIT, ROLLBACK, ATTACH"),
        (["PRAGMA wal_checkpoint"], "BEGIN, COMMIT, ROLLBACK, ATTACH"),
        (["ANALYZE"], "BEGIN, COMMIT, ROLLBACK, ATTACH"),
        (["REINDEX execution_open"], "execution_open is the engine's"),
        # The engine's very own statement, which the connection has at hand already.
        (["DELETE FROM timer WHERE execution = 1 AND command = 1"], "timer is the engine's"),
    ],
)
def test_what_is_the_engines_is_refused_and_not_tried_again(path: Path, statements: list[str], said: str) -> None:
    with pytest.raises(ExecutionFailed, match=f"TransactionRefused: a transaction may not do that: {said}"):
        run(path, "sql", ["CREATE TABLE before (a)", *statements])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'before'").fetchall() == []
    assert run(path, "adds", ["a"]) == [2]  # and the engine goes on


def careless(*actions: Callable[[sqlite3.Connection], Any]) -> Any:
    @transaction(retry=ONCE)
    def step(tables: sqlite3.Connection) -> int:
        tables.execute("CREATE TABLE IF NOT EXISTS careless (a UNIQUE ON CONFLICT ROLLBACK)")
        for act in actions:
            act(tables)
        return 1

    return step


@pytest.mark.parametrize(
    "act",
    [
        sqlite3.Connection.commit,
        sqlite3.Connection.rollback,
        lambda tables: tables.executescript("CREATE TABLE script (a)"),
        lambda tables: tables.executemany("INSERT INTO careless VALUES (?)", [(1,), (1,)]),
    ],
    ids=["commit", "rollback", "executescript", "on conflict rollback"],
)
def test_a_step_that_ends_the_transaction_harms_no_other(path: Path, act: Callable[[sqlite3.Connection], Any]) -> None:
    step = careless(act)

    @workflow
    async def go() -> list[Any]:
        done = await asyncio.gather(add("a"), step(), add("a"), return_exceptions=True)
        return [one if isinstance(one, int) else type(one).__name__ for one in done]

    async def live() -> Any:
        async with Engine(path, [go]) as engine:
            return await (await engine.start(go)).result()

    assert asyncio.run(live()) == [1, "ActivityError", 2]
    assert accounts(path) == {"a": 2}


def test_a_rollback_from_inside_that_is_caught_is_refused_all_the_same(path: Path) -> None:
    def provoke(tables: sqlite3.Connection) -> None:
        with suppress(sqlite3.IntegrityError):
            tables.executemany("INSERT INTO careless VALUES (?)", [(1,), (1,)])

    step = careless(provoke)

    @workflow
    async def go() -> None:
        await step()

    async def live() -> None:
        async with Engine(path, [go]) as engine:
            await (await engine.start(go)).result()

    with pytest.raises(ExecutionFailed, match="a transaction may not end itself: do without ON CONFLICT ROLLBACK"):
        asyncio.run(live())


def test_what_a_step_sets_on_the_connection_is_gone_after_it(path: Path) -> None:
    def change(tables: sqlite3.Connection) -> None:
        tables.row_factory = sqlite3.Row
        tables.text_factory = bytes

    step = careless(change)

    @workflow
    async def go() -> list[Any]:
        await step()
        return await run_sql(["SELECT 'text'"])

    async def live() -> Any:
        async with Engine(path, [go]) as engine:
            return await (await engine.start(go)).result()

    assert asyncio.run(live()) == [["text"]]


def test_while_the_store_lags_no_transaction_begins(path: Path) -> None:
    @workflow
    async def patient() -> int:
        return await add.with_options(retry=RetryPolicy(initial_seconds=60, factor=1))("shaky")

    async def live() -> None:
        clock, store, booted = ManualClock(), HeldStore(), [0.0]
        durability = AsyncDurability(store, 30, boot_seconds=lambda: booted[0])
        async with Engine(path, [patient], clock=clock, durability=durability) as engine:
            handle = await store.answer_until_done(asyncio.ensure_future(engine.start(patient)))
            for _ in range(2):
                waits = asyncio.ensure_future(until(lambda: engine.standing().retrying))
                await store.answer_until_done(waits)
                booted[0] += 31
                asked = store.asked
                clock.advance(60)
                await until(partial(has_asked, store, asked))
                with closing(sqlite3.connect(path, timeout=0)) as other:
                    other.execute("BEGIN IMMEDIATE")  # nobody has the lock meanwhile
                assert accounts(path) == {}
                store.answer()
                await engine.settled()
            store.open()
            assert await handle.result() == 1

    asyncio.run(live())


def has_asked(store: HeldStore, before: int) -> bool:
    return store.asked > before


def test_a_test_can_replace_a_transaction_and_let_it_fail(tmp_path: Path) -> None:
    durable = Durable(tmp_path)
    durable.fail(add, ConnectionError("once"), attempts=1)
    durable.replace(add, lambda name, amount=1: len(name) + amount)
    assert durable.run(adds, ["a", "b"]) == [3, 3]
    assert accounts(durable.database) == {}


def test_what_replaces_a_transaction_must_not_wait(tmp_path: Path) -> None:
    async def slow(name: str, amount: int = 1) -> int:
        await asyncio.sleep(0.01)
        return amount

    durable = Durable(tmp_path)
    durable.replace(add, slow)
    assert durable.run(adds, ["a"]) == [
        "add failed after 1 attempt: TypeError: what replaces the transaction add must wait for nothing"
    ]


def test_outside_of_a_workflow_its_function_is_called_with_a_connection() -> None:
    with pytest.raises(NotInWorkflow, match=r"call `add\.function` with a connection of its own"):
        asyncio.run(_await(add("a")))
    with closing(sqlite3.connect(":memory:")) as connection:
        function: Any = add.function
        assert function(connection, "a", amount=3) == 3


async def _await(one: Any) -> Any:
    return await one


def test_a_transaction_that_cannot_be_one_is_refused() -> None:
    async def waits(tables: sqlite3.Connection) -> None: ...
    def none() -> None: ...
    def fine(tables: sqlite3.Connection) -> None: ...
    def no_json(tables: sqlite3.Connection, other: sqlite3.Connection) -> None: ...

    wrong: Any
    for wrong in (waits, none):
        with pytest.raises(InvalidDefinition, match="must be a `def` whose first parameter is the connection"):
            transaction(wrong)
    with pytest.raises(InvalidDefinition, match="its parameter 'other' is annotated with Connection"):
        transaction(no_json)
    with pytest.raises(InvalidDefinition, match="it has no option but retry"):
        transaction(fine).with_options(start_to_close_seconds=1)


def test_only_names_that_are_ours_are_refused() -> None:
    assert refused(sqlite3.SQLITE_READ, "mine", "event") is None
    assert refused(sqlite3.SQLITE_READ, "events", "a") is None
    assert refused(sqlite3.SQLITE_READ, "event", "a") is not None
    assert refused(sqlite3.SQLITE_CREATE_INDEX, "mine", "event") is not None
    assert refused(10_000, None, None) is not None
    assert issubclass(TransactionRefused, Exception)
