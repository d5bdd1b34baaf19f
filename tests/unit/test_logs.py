"""Can programs read the lines of a log, and people too?"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dormouse.logs import JsonFormatter, TextFormatter, log_as_told
from dormouse.pod import InvalidSettings

MOMENT = datetime(2030, 1, 1, 12, 0, 0, 250_000, UTC).timestamp()


def record(message: str = "paid %d", *arguments: object, name: str = "shop", **attributes: object) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "shop.py", 7, message, arguments, None)
    made.created = MOMENT
    vars(made).update(attributes)
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(made)
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line)
    return document


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    found = logging.getLogger()
    handlers, level = found.handlers[:], found.level
    yield found
    found.handlers[:] = handlers
    found.setLevel(level)


def test_a_line_of_json_has_what_programs_look_for() -> None:
    assert as_json(record("paid %d", 5)) == {
        "time": "2030-01-01T12:00:00.250Z",
        "level": "WARNING",
        "logger": "shop",
        "message": "paid 5",
    }


def test_a_line_of_json_says_whose_it_is_and_what_was_added() -> None:
    made = record("paid", execution="order-9", workflow="order", activity="pay", attempt=2, cents=Decimal("4.20"))
    found = as_json(made)
    assert list(found)[4:] == ["execution", "workflow", "activity", "attempt", "cents"]
    assert (found["execution"], found["attempt"], found["cents"]) == ("order-9", 2, "4.20")


def test_what_was_added_cannot_take_the_place_of_what_is_always_there() -> None:
    assert as_json(record("paid", level="all well", time="never"))["level"] == "WARNING"


def test_an_exception_is_one_line_too() -> None:
    try:
        raise ValueError("no\nluck")
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    assert as_json(made)["exception"].endswith("ValueError: no\nluck")


def test_what_json_cannot_say_is_said_somehow() -> None:
    assert as_json(record("half a pair: \ud800", weight=float("nan"), key={1: object}))["message"]


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        ({}, "shop paid"),
        ({"execution": "order-9", "workflow": "order"}, "shop paid [order-9]"),
        ({"execution": "order-9", "activity": "pay", "attempt": 2}, "shop paid [order-9 pay attempt 2]"),
        ({"execution": "order-9", "name": "dormouse.activity"}, "dormouse.activity paid"),
    ],
)
def test_a_line_for_people_ends_with_whose_it_is(attributes: dict[str, Any], line: str) -> None:
    assert TextFormatter().format(record("paid", **attributes)).partition(" WARNING ")[2] == line


def test_the_environment_says_how_and_how_much(root: logging.Logger) -> None:
    log_as_told({"DORMOUSE_LOG_FORMAT": "json", "DORMOUSE_LOG_LEVEL": "DEBUG"})
    (handler,) = root.handlers
    assert (type(handler.formatter), root.level) == (JsonFormatter, logging.DEBUG)
    log_as_told({})
    (handler,) = root.handlers
    assert (type(handler.formatter), root.level) == (TextFormatter, logging.INFO)


def test_each_line_of_a_pod_says_whose_pod_it_is(root: logging.Logger) -> None:
    pod = {"DORMOUSE_NAMESPACE": "team", "DORMOUSE_NAME": "report", "DORMOUSE_EPOCH": "3"}
    log_as_told({"DORMOUSE_LOG_FORMAT": "json", **pod})
    (handler,) = root.handlers
    assert handler.formatter is not None
    line = json.loads(handler.formatter.format(record(dwf="another", epoch=9)))
    assert {name: line[name] for name in ("namespace", "dwf", "epoch")} == {
        "namespace": "team", "dwf": "report", "epoch": 3,
    }  # fmt: skip


def test_an_epoch_that_is_none_is_said_as_it_stands_there(root: logging.Logger) -> None:
    log_as_told({"DORMOUSE_LOG_FORMAT": "json", "DORMOUSE_EPOCH": "third"})
    (handler,) = root.handlers
    assert handler.formatter is not None
    line = json.loads(handler.formatter.format(record()))
    assert line["epoch"] == "third"
    assert "dwf" not in line


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DORMOUSE_LOG_FORMAT": "xml"}, "DORMOUSE_LOG_FORMAT must be one of text, json, not 'xml'"),
        ({"DORMOUSE_LOG_LEVEL": "loud"}, "DORMOUSE_LOG_LEVEL must be one of DEBUG, INFO"),
    ],
)
def test_what_is_not_known_is_named(root: logging.Logger, environment: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        log_as_told(environment)
    assert root.handlers
