"""Is a person told what is wrong with a value that is no JSON, where, and what to do?"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click
import pytest

from dormouse.commands.value import parse_value


def refused(text: str) -> str:
    with pytest.raises(click.BadParameter) as wrong:
        parse_value(text, "--edit")
    assert wrong.value.param_hint == "--edit"
    return wrong.value.message


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ('{"base": "EUR", "rate": 1.086', "column 30, where it ends too early", "put all of it in single quotes"),
        ('["tea", "cu', 'line 1, column 9, before "cu;', "put all of it in single quotes"),
        ('{"rate": 1.0.86}', "line 1, column 13, before .86};", "put all of it in single quotes"),
        ('{\n "rate": x}', "line 2, column 10, before x};", "put all of it in single quotes"),
        ('{"é": tea, "and": "much more than is shown"}', 'column 7, before tea, "and": "much mo…;', "or into a file"),
        ("{rate: 1}", "line 1, column 2, before rate: 1};", "put all of it in single quotes"),
        ("tea", "line 1, column 1, before tea;", "text needs quotes, such as '\"tea\"'"),
        ("", "line 1, column 1, where it ends too early;", "text needs quotes"),
        ('{"rate": NaN}', "byte 9", "JSON has no NaN and no infinity"),
        ("1e999", "Number out of range", "JSON has no NaN and no infinity"),
    ],
)
def test_what_is_no_json_is_told_with_its_place_and_the_remedy(text: str, place: str, remedy: str) -> None:
    told = refused(text)
    assert told.startswith("it is not JSON: ")
    assert place in told
    assert remedy in told


def test_of_a_file_the_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("answer.json").write_text('{\n  "rate": 1.086')
    assert refused("@answer.json").endswith("line 2, column 16, where it ends too early; mend it in answer.json")
    Path("answer.json").write_bytes(b'"caf\xe9"')
    assert refused("@answer.json") == "@answer.json is not UTF-8 at byte 5; save it as UTF-8"
    monkeypatch.setattr(sys, "stdin", io.StringIO("[1, 2"))
    assert refused("-").endswith("where it ends too early; mend it in what is piped here")
    assert refused("@nowhere.json") == "nowhere.json: No such file or directory"


def test_what_is_nested_without_end_is_refused_too() -> None:
    assert "it is not JSON" in refused("[" * 100_000)


def test_json_is_taken_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "value.json").write_text('{"item": "tea"}')
    assert parse_value(f"@{tmp_path / 'value.json'}", "VALUE") == {"item": "tea"}
    assert parse_value('"tea"', "VALUE") == "tea"
