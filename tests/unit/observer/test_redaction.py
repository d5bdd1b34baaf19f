"""Is nothing of a value left in a redacted copy? A marker is planted wherever one can be, and the bytes searched."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dormouse import (
    Approval,
    Codec,
    Engine,
    ExecutionFailed,
    InvalidInput,
    RetryPolicy,
    Signal,
    Update,
    activity,
    continue_as_new,
    heartbeat,
    transaction,
    workflow,
)
from dormouse.client.file import DatabaseFile
from dormouse.encryption import AesGcm
from dormouse.engine.decision import Verdict
from dormouse.engine.journal import Kind
from dormouse.engine.mismatch import Blocked
from dormouse.engine.payload import Failure
from dormouse.engine.schema import bring_up_to_date
from dormouse.engine.standing import Waiting
from dormouse_observer.exporting.redacting import EXECUTION_COLUMNS, NUMBERS, redact

MARKER = "Zq7vWk3xPayload"
KEYS = AesGcm({"k1": b"k" * 32})
said = Signal("said", dict[str, str])
change = Update("change", str, str)
release = Approval("release", str)


@activity(retry=RetryPolicy(attempts=2, initial_seconds=0.001))
async def fails(what: str) -> str:
    raise ValueError(f"{MARKER} in {what}")


@activity(retry=RetryPolicy(initial_seconds=3600, maximum_seconds=3600))
async def beats(what: str) -> str:
    heartbeat({MARKER: what})
    raise OSError(MARKER)


@activity
async def answers(what: Any) -> Any:
    return {MARKER: [what, {"long": f"{MARKER} " * 300}]}


@transaction
def keeps(tables: sqlite3.Connection, what: str) -> str:
    tables.execute(f"CREATE TABLE stock (id INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT DEFAULT '{what}' UNIQUE)")
    tables.execute(f"CREATE VIEW shown AS SELECT item, '{what}' AS same FROM stock")
    tables.execute(f"CREATE INDEX found ON stock (item) WHERE item <> '{what}'")
    tables.execute(f"CREATE TRIGGER told AFTER INSERT ON stock BEGIN SELECT '{what}'; END")
    tables.execute("CREATE TABLE gone (item TEXT)")
    tables.executemany("INSERT INTO gone VALUES (?)", [(f"{what} {number}" * 20,) for number in range(200)])
    tables.execute("INSERT INTO stock (item) VALUES (?)", (what,))
    tables.execute("DROP TABLE gone")
    return what


@workflow
async def everything(what: dict[str, str]) -> Any:
    async def changed(value: str) -> str:
        if value == "no":
            raise InvalidInput(MARKER)
        return f"{value} {MARKER}"

    change.answer(changed)
    with suppress(Exception):
        await fails(MARKER)
    await keeps(MARKER)
    await release.request(MARKER, within_seconds=3600)
    told = await said.receive()
    return await answers([what, told])


@workflow
async def goes_on(what: list[str]) -> str:
    return " ".join(what) if len(what) > 1 else continue_as_new([*what, *what])


@workflow
async def repeats(turns: int) -> None:
    for _ in range(turns):
        await answers([[{"name": number, "more": [number] * 40} for number in range(60)]])


@workflow
async def parent(what: str) -> Any:
    return await goes_on([what, what])


@workflow
async def waits(what: str) -> str:
    return await beats(what)


@workflow
async def asks(what: str) -> str:
    return (await release.request(what)).outcome


async def _lived(database: Path, codec: Codec | None, copied: Path) -> None:
    """One life with everything in it; the copy is taken while the engine has it open, so that there is a WAL."""
    flows: list[Any] = [everything, goes_on, parent, waits, asks]
    async with Engine(database, flows, codec=codec) as engine:
        one = await engine.start(everything, {MARKER: MARKER}, id="all-1", idempotency_key=f"key {MARKER}")
        while not (pending := await one.approvals()):
            await asyncio.sleep(0.005)
        await one.update(change, MARKER, idempotency_key=f"update {MARKER}")
        with suppress(Exception):
            await one.update(change, "no")
        await one.approve(release, pending[0].digest, by=MARKER, reason=MARKER)
        await one.signal(said, {MARKER: MARKER}, idempotency_key=f"signal {MARKER}")
        await one.result()
        await (await engine.start(parent, MARKER, id="parent-1")).result()
        await (await engine.start(goes_on, [MARKER], id="turns-1")).result()
        cancelled = await engine.start(asks, MARKER, id="cancelled-1")
        await cancelled.cancel(MARKER)
        terminated = await engine.start(asks, MARKER, id="terminated-1")
        await terminated.terminate(MARKER)
        with suppress(ExecutionFailed, Exception):
            await cancelled.result()
        await engine.start(asks, MARKER, id="asks-1")
        retried = await engine.start(waits, MARKER, id="waits-1")
        while "AttemptFailed" not in [event.kind for event in await retried.history()]:
            await asyncio.sleep(0.005)
        for ending in ("", "-wal"):
            left = database.with_name(database.name + ending)
            copied.with_name(copied.name + ending).write_bytes(left.read_bytes())


@pytest.fixture(scope="module", params=["plain", "encrypted"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Codec | None]:
    folder = tmp_path_factory.mktemp("lived")
    codec = KEYS if request.param == "encrypted" else None
    asyncio.run(_lived(folder / "live.sqlite", codec, folder / "copy.sqlite"))
    return folder / "copy.sqlite", codec


def forms() -> Iterator[bytes]:
    """The marker as it may be stored: its bytes, wide, in hex, and what base64 makes of its inside."""
    plain = MARKER.encode()
    yield from (plain, plain.swapcase(), MARKER.encode("utf-16-le"), MARKER.encode("utf-16-be"))
    yield from (plain.hex().encode(), plain.hex().upper().encode())
    for before in range(3):
        inside = base64.b64encode(b"-" * before + plain)[4 if before else 0 : -4]
        yield from (inside, inside.replace(b"+", b"-").replace(b"/", b"_"))


def found_in(file: Path) -> list[bytes]:
    stored = file.read_bytes()
    return [form for form in forms() if form in stored]


def redacted(file: Path, target: Path, codec: Codec | None = None, *, keeps_names: bool = False) -> Path:
    redact(file, target, codec, keeps_names=keeps_names)
    return target


def test_nothing_is_left_of_a_life_with_everything_in_it(lived: tuple[Path, Codec | None], tmp_path: Path) -> None:
    file, codec = lived
    if codec is None:
        assert found_in(file.with_name(f"{file.name}-wal")), "the newest part of the file is there"
    copy = redacted(file, tmp_path / "redacted.sqlite", codec)
    assert found_in(copy) == []
    assert [path.name for path in tmp_path.iterdir()] == ["redacted.sqlite"]


def test_what_happened_is_still_told(lived: tuple[Path, Codec | None], tmp_path: Path) -> None:
    file, codec = lived
    with DatabaseFile(file, codec) as before, DatabaseFile(redacted(file, tmp_path / "r.sqlite", codec)) as after:
        assert [(row.id, row.workflow, row.status) for row in before.rows()] == [
            (row.id, row.workflow, row.status) for row in after.rows()
        ]
        for row in before.rows():
            was, became = before.history(row.id), after.history(row.id)
            told = ("position", "at", "kind", "command", "name", "attempt", "due", "source")
            assert [[getattr(event, name) for name in told] for event in was] == [
                [getattr(event, name) for name in told] for event in became
            ]
            assert [event.payload is msgspec.UNSET for event in was] == [
                event.payload is msgspec.UNSET for event in became
            ]
        assert after.show("terminated-1").error is not None
        waiting = after.show("waits-1").waits_for
        assert waiting is not None
        assert (waiting[0].kind, waiting[0].attempt) == ("activity", 2)
        assert waiting[0].last_error is not None
        assert (waiting[0].last_error.type, waiting[0].last_error.message) == ("OSError", "<text: up to 16>")
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT * FROM stock").fetchall() == [(0, "<text: up to 16>")]


def test_without_its_keys_an_encrypted_file_is_redacted_as_well(tmp_path: Path) -> None:
    asyncio.run(_lived(tmp_path / "live.sqlite", KEYS, tmp_path / "copy.sqlite"))
    copy = redacted(tmp_path / "copy.sqlite", tmp_path / "r.sqlite")
    assert found_in(copy) == []
    with DatabaseFile(copy) as opened:
        assert opened.show("terminated-1").status == "Terminated"
        result = opened.outcome("all-1").result
        assert isinstance(result, msgspec.Raw)
        assert bytes(result) == b'"<unreadable>"'


def test_names_of_values_are_numbered_unless_they_are_to_be_kept(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        bring_up_to_date(connection, file)
        connection.execute(
            "INSERT INTO event (position, execution, kind, at, payload) VALUES (1, 1, 'ActivityCompleted', 5, ?)",
            (b'{"mail":"ada@example.com","n":{"mail":[12,1.5,true,null]}}',),
        )
        connection.commit()

    def payload(copy: Path) -> Any:
        with closing(sqlite3.connect(copy)) as connection:
            return msgspec.json.decode(connection.execute("SELECT payload FROM event").fetchone()[0])

    assert payload(redacted(file, tmp_path / "a.sqlite")) == {
        "name-1": "<text: up to 16>",
        "name-2": {"name-1": [0, 0.0, False, None]},
    }
    assert payload(redacted(file, tmp_path / "b.sqlite", keeps_names=True)) == {
        "mail": "<text: up to 16>",
        "n": {"mail": [0, 0.0, False, None]},
    }


def test_what_repeats_is_still_stored_once(tmp_path: Path) -> None:
    file, turns = tmp_path / "db.sqlite", 20

    async def live() -> None:
        async with Engine(file, [repeats]) as engine:
            await (await engine.start(repeats, turns)).result()

    asyncio.run(live())
    with DatabaseFile(redacted(file, tmp_path / "r.sqlite")) as copy:
        (row,) = copy.rows()
        whole = sum(len(event.payload or b"") for event in copy.events(row))
    assert (tmp_path / "r.sqlite").stat().st_size < whole / 3


_AWKWARD = (b'"' + MARKER.encode() + b'"', MARKER.encode(), b"\xff" + MARKER.encode(), b"\x01" + MARKER.encode())
_FORMED = (
    msgspec.json.encode(Failure(f"{MARKER} {MARKER}", MARKER, MARKER, MARKER)),
    msgspec.json.encode(Verdict("approved", MARKER, MARKER)),
    msgspec.json.encode({"outcome": MARKER, "by": MARKER, "reason": MARKER}),
    msgspec.json.encode({MARKER: {MARKER: [MARKER]}}),
)


def test_whatever_stands_in_any_column_and_in_any_kind_of_event_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite"
    blocked = msgspec.json.encode(Blocked(f"{MARKER} {MARKER}", MARKER, MARKER, MARKER, MARKER, MARKER, MARKER))
    waiting = msgspec.json.encode(
        [Waiting("approval", "release", 1, Failure(f"{MARKER} {MARKER}", MARKER, MARKER, MARKER), 7, MARKER, MARKER)]
    )
    with closing(sqlite3.connect(file)) as connection:
        bring_up_to_date(connection, file)
        position = 0
        for kind in [*Kind, MARKER]:
            for payload in (*_AWKWARD, *_FORMED):
                position += 1
                child = kind.startswith("Child")
                connection.execute(
                    "INSERT INTO event VALUES (?, 1, ?, ?, ?, ?, 'name', ?, ?, ?, ?, ?)",
                    (position, kind, MARKER, None, MARKER, MARKER, MARKER, payload, MARKER, "id" if child else MARKER),
                )
        connection.executemany(
            "INSERT INTO execution (key, id, workflow, status, seed, request, idempotency_key, started_at, closed_at, "
            "closed_position, blocked, parent, parent_command, asleep_position, asleep_until, waiting, traceparent) "
            f"VALUES (?, ?, 'w', 'Blocked', '{MARKER}', '{MARKER}', ?, 5, ?, ?, ?, ?, ?, ?, ?, ?, '{MARKER}')",
            [
                (1, "one", f"1 {MARKER}", MARKER, MARKER, blocked, MARKER, MARKER, MARKER, MARKER, waiting),
                (2, "two", f"2 {MARKER}", *[MARKER] * 2, MARKER.encode(), *[MARKER] * 4, MARKER.encode()),
            ],
        )
        connection.executemany("INSERT INTO heartbeat VALUES (?, 1, ?)", [*enumerate((*_AWKWARD, *_FORMED))])
        connection.execute("INSERT INTO dormouse_chunk VALUES (1, ?)", (MARKER,))
        connection.execute("INSERT INTO dormouse_part VALUES (1, ?, 1)", (MARKER,))
        connection.execute("INSERT INTO dormouse_run VALUES (1, ?, ?, ?, ?)", [MARKER] * 4)
        connection.execute("INSERT INTO dormouse_meta VALUES (?, ?)", (MARKER, MARKER))
        connection.execute("CREATE TABLE dormouse_later (what TEXT)")
        connection.execute("CREATE TABLE _litestream_seq (what TEXT)")
        connection.execute(
            f"CREATE TABLE checked (a TEXT, b CHECK (b <> '{MARKER}'), c AS (a || '{MARKER}')) -- {MARKER}"
        )
        connection.execute("INSERT INTO checked VALUES (?, ?)", (MARKER.encode(), 7))
        connection.execute("CREATE VIRTUAL TABLE search USING fts5 (body)")
        connection.execute("INSERT INTO search VALUES (?)", (MARKER,))
        for table in ("dormouse_later", "_litestream_seq"):
            connection.execute(f"INSERT INTO {table} VALUES (?)", (MARKER,))
        connection.commit()
    assert found_in(file)
    copy = redacted(file, tmp_path / "redacted.sqlite")
    assert found_in(copy) == []
    with DatabaseFile(copy) as opened:
        assert [row.id for row in opened.rows()] == ["one", "two"]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT a, b FROM checked").fetchall() == [(b"<bytes: up to 16>", 0)]
        assert connection.execute("SELECT body FROM search").fetchall() == [("<text: up to 16>",)]


def test_each_column_of_the_engines_tables_is_decided_on(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        bring_up_to_date(connection, file)
        tables = {
            name: {column for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")}
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        }
    event = {"position", "execution", "kind", "at", "previous", "command", "name", "attempt", "due", "payload"}
    assert tables == {
        "execution": set(EXECUTION_COLUMNS),
        "event": event | {"source", "key"},
        "heartbeat": {"execution", "command", "details"},
        "dormouse_part": {"run", "digest", "number"},
        "dormouse_chunk": {"key", "content"},
        "dormouse_meta": {"key", "value"},
        **{name: set(columns) for name, columns in NUMBERS.items()},
    }
