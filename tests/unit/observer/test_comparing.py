"""Does a comparison find where two logs part, and overlook what differs between any two runs?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dormouse.difference import first_difference, told
from dormouse.runtime.views import EventView
from dormouse_observer.comparing import Comparisons, compared, comparisons_text


def event(position: int, kind: str, payload: object = msgspec.UNSET, **others: Any) -> EventView:
    written = payload if payload is msgspec.UNSET else msgspec.Raw(msgspec.json.encode(payload))
    return EventView(position, kind, f"2026-11-22T00:00:0{position}Z", payload=written, **others)


def log(first: int, answer: object) -> list[EventView]:
    return [
        event(first, "ExecutionStarted", "in", name="order"),
        event(first + 1, "ActivityScheduled", ["tea"], name="price", command=1, source=f"orders.py:{first}"),
        event(first + 3, "ActivityCompleted", answer, command=1),
    ]


def test_moments_positions_and_lines_do_not_count() -> None:
    assert compared("a", log(1, 5), "b", log(3, 5), 10).same


def test_the_first_value_that_differs_is_found_with_the_event_before() -> None:
    found = compared("a", log(1, 5), "b", log(3, 6), 10)
    assert (found.same, found.common, [pair.same for pair in found.pairs]) == (False, 2, [True, False])


def test_a_log_that_ends_earlier_differs_from_there_on() -> None:
    found = compared("a", log(1, 5), "a", log(1, 5)[:1], 1)
    assert (found.common, found.pairs[-1].b, found.more) == (1, None, 1)


def test_numbers_are_compared_as_numbers_and_objects_without_their_order() -> None:
    assert compared("a", log(1, {"x": 1, "y": 2.0}), "a", log(1, {"y": 2.0, "x": 1}), 10).same


def test_a_failure_is_the_same_whatever_its_traceback() -> None:
    one, other = ({"type": "OSError", "message": "no", "traceback": text} for text in ("here", "there"))
    assert compared("a", [event(1, "ActivityFailed", one)], "a", [event(1, "ActivityFailed", other)], 10).same


def test_true_is_not_one() -> None:
    found = compared("a", log(1, {"x": 1}), "a", log(1, {"x": True}), 10)
    assert (found.same, found.pairs[-1].path) == (False, "$.x")


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (5, 6, "$: 5 and 6"),
        ({"a": [1, {"b c": 2}]}, {"a": [1, {"b c": 3}]}, '$.a[1]["b c"]: 2 and 3'),
        ({"a": 1}, {"a": 1, "b": None}, "$.b: nothing and null"),
        ([1], [1, 2], "$[1]: nothing and 2"),
        (
            {"text": f"{'x' * 800}tea for two"},
            {"text": f"{'x' * 800}tea for ten"},
            f'$.text: "...{"x" * 26}tea for two" and "...{"x" * 26}tea for ten"',
        ),
        (
            {"text": f"{'x' * 800}two{'y' * 800}"},
            {"text": f"{'x' * 800}ten{'y' * 800}"},
            f'$.text: "...{"x" * 8}two{"y" * 23}..." and "...{"x" * 8}ten{"y" * 23}..."',
        ),
    ],
)
def test_the_first_difference_is_told_with_its_path_and_what_stands_there(
    one: object, other: object, said: str
) -> None:
    found = first_difference(one, other)
    assert found is not None
    assert told(found) == said


def test_a_person_sees_both_sides_and_who_is_only_in_one_file() -> None:
    found = Comparisons(False, (compared("a", log(1, 5), "a", log(1, "x" * 99), 10),), only_b=("new",))
    first, *_, differ, _, last = comparisons_text(found, "one.sqlite", "two.sqlite").splitlines()
    assert first == "a: the same in the first 2 events, then"
    assert differ == f'event 4 differs at $: 5 and "{"x" * 36}...'
    assert last == "only in two.sqlite: new"


def test_a_long_value_is_shown_from_where_it_differs() -> None:
    one, other = (log(1, {"before": "x" * 99, "rate": rate}) for rate in (10.86, 1.086))
    *_, row, differ, _, _ = comparisons_text(
        Comparisons(False, (compared("a", one, "a", other, 10),), only_a=("old",)), "one.sqlite", "two.sqlite"
    ).splitlines()
    assert row.count('"rate":10.86}') == row.count('"rate":1.086}') == 1
    assert differ == "event 4 differs at $.rate: 10.86 and 1.086"
