"""Which executions are listed, of those that are wanted and as far as what happened to them counts?"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import pytest

from dormouse.engine.listing import ALL, Wanted, check_workflow, wanted
from dormouse.errors import InvalidInput, UnknownWorkflow

ROWS = [
    (1, "order", "Completed", 9),
    (2, "basket", "Open", None),
    (3, "order", "Blocked", None),
    (5, "order", "Failed", 6),
]


def listed(asked: Wanted, *, up_to: int = sys.maxsize, begins: int = sys.maxsize) -> list[int]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE execution (key, workflow, status, closed_position)")
        connection.executemany("INSERT INTO execution VALUES (?, ?, ?, ?)", ROWS)
        where, values = asked.where(up_to=up_to, begins=begins)
        return [key for (key,) in connection.execute(f"SELECT key FROM execution WHERE {where} ORDER BY key", values)]


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        (ALL, [1, 2, 3, 5]),
        (wanted("Open", None), [2]),
        (wanted(None, "order"), [1, 3, 5]),
        (wanted("Blocked", "order"), [3]),
        (wanted("Open", "order"), []),
    ],
)
def test_those_are_listed_that_are_wanted(asked: Wanted, keys: list[int]) -> None:
    assert listed(asked) == keys


def test_an_end_that_does_not_count_yet_has_not_come() -> None:
    assert listed(wanted("Open", None), up_to=8) == [1, 2]
    assert listed(wanted("Completed", None), up_to=8) == []
    assert listed(wanted("Completed", None), up_to=9) == [1]


def test_a_start_that_does_not_count_yet_is_not_listed() -> None:
    assert listed(ALL, up_to=4) == [1, 2, 3]


def test_a_page_begins_where_the_last_one_ended() -> None:
    assert listed(wanted(None, "order"), begins=4) == [1, 3]


@pytest.mark.parametrize("status", ["open", "Done", ""])
def test_what_is_no_status_is_refused(status: str) -> None:
    with pytest.raises(InvalidInput, match=f"Cancelled, Terminated, not {status!r}"):
        wanted(status, None)


def test_a_workflow_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    check_workflow("order", ["order", "basket"])
    with pytest.raises(UnknownWorkflow, match=r"^there is no workflow 'odrer'; there are: basket, order$"):
        check_workflow("odrer", ["order", "basket", "order"])
    with pytest.raises(UnknownWorkflow, match="there are: none"):
        check_workflow("odrer", [])
