"""Does a query read files and nothing else, within its bounds?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dormouse.client.opening import NotReadable
from dormouse_observer.querying import NotQueried, query

FOR_EVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for number, file in enumerate(made):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE note (text TEXT)")
            connection.executemany("INSERT INTO note VALUES (?)", [(f"{number}{each}",) for each in range(3)])
            connection.commit()
    return made


def test_the_rows_of_all_files_stand_behind_their_names(files: list[Path]) -> None:
    found = query(files, "SELECT text, 1 AS one FROM note WHERE text LIKE '%1'", limit=10, seconds=5)
    assert found.columns == ("FILE", "text", "one")
    assert found.rows == [(str(files[0]), "01", 1), (str(files[1]), "11", 1)]
    assert not found.is_cut


def test_no_more_rows_than_the_limit_are_read(files: list[Path]) -> None:
    found = query(files, "SELECT text FROM note", limit=4, seconds=5)
    assert [text for _, text in found.rows] == ["00", "01", "02", "10"]
    assert found.is_cut
    assert not query(files, "SELECT text FROM note", limit=6, seconds=5).is_cut


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM note",
        "CREATE TABLE other (a)",
        "ATTACH 'elsewhere.sqlite' AS elsewhere",
        "PRAGMA journal_mode=DELETE",
        "VACUUM INTO 'copy.sqlite'",
        "SELECT load_extension('x')",
        "BEGIN",
        "SELECT 1; DELETE FROM note",
        "SELEKT",
        "",
    ],
)
def test_what_is_no_query_is_refused_and_changes_nothing(
    files: list[Path], sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(NotQueried):
        query(files, sql, limit=10, seconds=5)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_query_without_an_end_ends(files: list[Path]) -> None:
    with pytest.raises(NotQueried, match=r"no end after 0\.05 s; ask for less"):
        query(files, FOR_EVER, limit=10, seconds=0.05)


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sqlite"
    wrong.write_text("no database, but long enough to be looked at " * 30)
    with pytest.raises(NotReadable, match=r"wrong\.sqlite is no SQLite file"):
        query([wrong], "SELECT 1 FROM sqlite_master", limit=1, seconds=1)
