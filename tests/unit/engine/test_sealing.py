"""Is an encrypted file opened by its keys alone, does it go on, and does it give nothing away?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from engine_lab import EveryCommit, until

from dormouse import (
    CannotDecode,
    Codec,
    Engine,
    ExecutionFailed,
    RequestConflict,
    RetryPolicy,
    Signal,
    Workflow,
    activity,
    activity_info,
    heartbeat,
    workflow,
)
from dormouse.client.file import DatabaseFile
from dormouse.commands.reading import history, list_executions
from dormouse.encryption import KEYS_VARIABLE, AesGcm
from dormouse.engine.folding import LARGE
from dormouse.testing import replay

SECRET = "swordfish"
OLD = {"2025": b"o" * 32}
NEW = {**OLD, "2026": b"n" * 32}
more = Signal("more", str)
ran: list[str] = []


@activity
async def remember(word: str, times: int) -> str:
    ran.append(word)
    return word * times


@activity(retry=RetryPolicy(initial_seconds=0, attempts=2))
async def reckless(word: str) -> str:
    if activity_info().attempt == 1:
        heartbeat({"seen": word})
        raise ValueError(f"not {word}")
    assert activity_info().heartbeat_details == {"seen": word}
    return word


@workflow
async def keeps(word: str) -> str:
    long = await remember(word, LARGE)
    await reckless(word)
    return long[: len(word)] + await more.receive() + str(len(await remember(long, 1)))


@workflow
async def fails(word: str) -> None:
    raise ValueError(word)


@workflow
async def beats(word: str) -> None:
    await beat_for_ever(word)


@activity
async def beat_for_ever(word: str) -> None:
    heartbeat(word)
    await asyncio.Event().wait()


ALL: list[Workflow[..., Any]] = [keeps, fails, beats]


async def begin(path: Path, codec: Codec | None, durability: EveryCommit | None = None) -> None:
    async with Engine(path, ALL, codec=codec, durability=durability) as engine:
        await engine.start(keeps, SECRET, id="keeps", idempotency_key="k")
        with pytest.raises(ExecutionFailed):
            await (await engine.start(fails, SECRET, id="fails")).result()
        await engine.start(beats, SECRET, id="beats")
        await until(lambda: counted(path, "heartbeat"))
        await until(lambda: [one.kind for one in engine.read.waits_for("keeps")] == ["signal"])


async def finish(path: Path, codec: Codec | None) -> str:
    async with Engine(path, ALL, codec=codec) as engine:
        handle = await engine.start(keeps, SECRET, id="keeps", idempotency_key="k")
        assert not handle.created
        await handle.signal(more, SECRET, idempotency_key="s")
        return await handle.result()


EXPECTED = SECRET + SECRET + str(len(SECRET) * LARGE)


def counted(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith("-lock"))


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A file of an encrypted engine, which has work left."""
    path = tmp_path / "db.sqlite"
    asyncio.run(begin(path, AesGcm(OLD)))
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


def test_nothing_of_a_value_is_in_the_file(sealed: Path) -> None:
    async def block() -> None:
        @workflow
        async def keeps(word: str) -> None:
            await reckless(word)

        async with Engine(sealed, [keeps, fails, beats], codec=AesGcm(OLD)) as engine:
            await engine.recovered()
            assert SECRET in str(engine.read.describe("keeps").blocked)

    asyncio.run(block())
    whole = everything_in(sealed.parent)
    assert SECRET.encode() not in whole
    assert sha256(b"\0".join((b"keeps", f'"{SECRET}"'.encode()))).digest() not in whole
    assert counted(sealed, "dormouse_chunk") > 0


def test_it_goes_on_with_its_key_from_every_commit(tmp_path: Path) -> None:
    commits = EveryCommit(tmp_path / "db.sqlite", tmp_path)
    asyncio.run(begin(tmp_path / "db.sqlite", AesGcm(OLD), commits))
    assert len(commits.copies) > 5
    assert asyncio.run(finish(commits.copies[-1], AesGcm(NEW))) == EXPECTED
    for copy in commits.copies[2:-1:2]:
        assert asyncio.run(finish(copy, AesGcm(NEW))) == EXPECTED


def test_what_is_long_is_stored_once_all_the_same(sealed: Path) -> None:
    before = counted(sealed, "dormouse_part")
    assert asyncio.run(finish(sealed, AesGcm(OLD))) == EXPECTED
    assert counted(sealed, "dormouse_part") == before


@pytest.mark.parametrize(
    ("codec", "said"),
    [
        (None, "the payloads of this file are encoded, by AES-GCM, key 2025; give the codec"),
        (AesGcm({"2025": b"x" * 32}), "this is another key of that id"),
        (AesGcm({"2026": b"n" * 32}), "encrypted with the key '2025', and the keys here are 2026"),
    ],
)
def test_a_wrong_key_or_none_is_refused_and_changes_nothing(sealed: Path, codec: Codec | None, said: str) -> None:
    before = everything_in(sealed.parent)
    with pytest.raises(CannotDecode, match=said):
        asyncio.run(finish(sealed, codec))
    assert everything_in(sealed.parent) == before
    assert asyncio.run(finish(sealed, AesGcm(OLD))) == EXPECTED


def test_keys_are_rotated_and_old_ones_let_go_of(sealed: Path) -> None:
    async def one_more() -> None:
        async with Engine(sealed, ALL, codec=AesGcm(NEW)) as engine:
            with pytest.raises(ExecutionFailed):
                await (await engine.start(fails, "x", id="new")).result()

    asyncio.run(one_more())
    only_new = AesGcm({"2026": NEW["2026"]})
    with DatabaseFile(sealed, only_new) as file:
        assert file.outcome("new").error is not None
        with pytest.raises(CannotDecode, match="encrypted with the key '2025'"):
            file.history("fails")
    assert asyncio.run(finish(sealed, AesGcm(NEW))) == EXPECTED


def test_a_file_that_has_no_codec_yet_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    asyncio.run(begin(path, None))
    with closing(sqlite3.connect(path)) as connection:
        (last,) = connection.execute("SELECT max(position) FROM event").fetchone()
    assert asyncio.run(finish(path, AesGcm(OLD))) == EXPECTED
    with closing(sqlite3.connect(path)) as connection:
        later = connection.execute("SELECT payload FROM event WHERE position > ? AND payload NOT NULL", (last,))
        assert {payload[:1] for (payload,) in later} == {b"\x03"}
        (details,) = connection.execute("SELECT details FROM heartbeat").fetchone()
        assert SECRET.encode() not in details


def test_the_same_id_with_another_input_is_another_request(sealed: Path) -> None:
    async def other() -> None:
        async with Engine(sealed, ALL, codec=AesGcm(OLD)) as engine:
            await engine.start(keeps, "other", id="keeps")

    with pytest.raises(RequestConflict):
        asyncio.run(other())


def swap_results(path: Path) -> None:
    found = "SELECT payload FROM event WHERE kind = 'ActivityCompleted' ORDER BY position"
    change(
        path,
        f"UPDATE event SET payload = ({found} LIMIT 1) WHERE position = "
        f"(SELECT max(position) FROM event WHERE kind = 'ActivityCompleted')",
    )


def make_a_failure_a_result(path: Path) -> None:
    change(path, "UPDATE event SET kind = 'ExecutionCompleted' WHERE kind = 'ExecutionFailed'")


def put_in_a_plain_result(path: Path) -> None:
    change(path, "UPDATE event SET payload = CAST('\"forged\"' AS BLOB) WHERE kind = 'ActivityCompleted'")


def put_in_a_plain_part(path: Path) -> None:
    change(path, "UPDATE dormouse_chunk SET content = CAST('\"forged\"' AS BLOB)")


def move_a_part(path: Path) -> None:
    change(path, "UPDATE dormouse_chunk SET content = (SELECT content FROM dormouse_chunk ORDER BY key DESC LIMIT 1)")


@pytest.mark.parametrize(
    "tamper", [swap_results, make_a_failure_a_result, put_in_a_plain_result, put_in_a_plain_part, move_a_part]
)
def test_what_was_changed_from_outside_is_not_believed(sealed: Path, tamper: Callable[[Path], None]) -> None:
    tamper(sealed)
    with DatabaseFile(sealed, AesGcm(OLD)) as file, pytest.raises(CannotDecode):
        file.history("fails" if tamper is make_a_failure_a_result else "keeps")


def test_what_is_plain_and_older_than_the_codec_is_read(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    asyncio.run(begin(path, None))
    asyncio.run(finish(path, AesGcm(OLD)))
    with DatabaseFile(path, AesGcm(OLD)) as file:
        assert f'"{SECRET}"'.encode() in [bytes(one.payload) for one in file.history("keeps")]  # type: ignore[arg-type]


def test_recorded_histories_are_replayed_with_their_codec(sealed: Path) -> None:
    assert replay(sealed, ALL, codec=AesGcm(OLD)) == ["keeps", "fails", "beats"]
    with pytest.raises(CannotDecode, match="DORMOUSE_ENCRYPTION_KEYS"):
        replay(sealed, ALL)


def test_the_command_line_reads_the_keys_of_the_environment(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = CliRunner().invoke(list_executions, [str(sealed)])
    assert (listed.exit_code, "keeps" in listed.output) == (0, True)
    refused = CliRunner().invoke(history, [str(sealed), "keeps"])
    assert (refused.exit_code, KEYS_VARIABLE in refused.output) == (1, True)
    monkeypatch.setenv(KEYS_VARIABLE, "2025:" + "b29v" * 10 + "b28=")
    shown = CliRunner().invoke(history, [str(sealed), "keeps", "-o", "json"])
    assert (shown.exit_code, SECRET in shown.output) == (0, True)
