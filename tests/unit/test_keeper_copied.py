"""Is it noticed when somebody has written to what was restored? Real SQLite files, as Litestream leaves them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dormouse.keeper.copied import is_as_restored, mark_as_restored


def connected(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


@pytest.fixture
def restored(tmp_path: Path) -> Path:
    database = tmp_path / "db.sqlite"
    with closing(connected(database)) as connection:
        connection.execute("CREATE TABLE note (text TEXT)")
        connection.execute("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")
        connection.execute("INSERT INTO _litestream_seq VALUES (1, 1)")
    mark_as_restored(database)
    return database


@pytest.fixture
def litestream(restored: Path) -> Iterator[sqlite3.Connection]:
    """What Litestream does when it starts on a file: it writes into its own table, to have a WAL."""
    with closing(connected(restored)) as connection:
        connection.execute("UPDATE _litestream_seq SET seq = seq + 1")
        yield connection


def test_what_only_litestream_has_written_to_is_as_it_was_restored(
    restored: Path, litestream: sqlite3.Connection
) -> None:
    assert is_as_restored(restored)
    litestream.execute("UPDATE _litestream_seq SET seq = seq + 1")
    assert is_as_restored(restored)


@pytest.mark.parametrize("statement", ["INSERT INTO note VALUES ('a')", "CREATE TABLE other (text TEXT)"])
def test_a_commit_of_anybody_else_shows(restored: Path, litestream: sqlite3.Connection, statement: str) -> None:
    with closing(connected(restored)) as runtime:
        runtime.execute(statement)
        assert not is_as_restored(restored)


def test_a_commit_shows_that_a_checkpoint_has_moved_into_the_file(
    restored: Path, litestream: sqlite3.Connection
) -> None:
    litestream.execute("INSERT INTO note VALUES ('a')")
    litestream.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    litestream.execute("UPDATE _litestream_seq SET seq = seq + 1")
    assert not is_as_restored(restored)
    mark_as_restored(restored)
    assert not is_as_restored(restored), "the WAL was begun anew as well"


def test_a_commit_before_the_first_snapshot_shows_when_its_writer_took_the_wal_away(restored: Path) -> None:
    with closing(connected(restored)) as runtime:
        runtime.execute("INSERT INTO note VALUES ('a')")
    with closing(connected(restored)) as litestream:
        litestream.execute("UPDATE _litestream_seq SET seq = seq + 1")
        assert not is_as_restored(restored)


def test_in_doubt_it_is_not_as_restored(restored: Path, tmp_path: Path) -> None:
    assert not is_as_restored(restored), "there is no WAL"
    restored.with_name(restored.name + "-wal").write_bytes(b"short")
    assert not is_as_restored(restored)
    assert not is_as_restored(tmp_path / "nothing")
