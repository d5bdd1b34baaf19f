"""What do the pages make of values? Text that acts, payloads of any shape, filters of any kind, sentences."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse.client.forks import Fork
from dormouse.engine.ending import Status
from dormouse.engine.mismatch import Blocked
from dormouse.engine.payload import Failure
from dormouse.engine.standing import Waiting
from dormouse.errors import InvalidInput
from dormouse_observer.web.durations import duration, took
from dormouse_observer.web.listing import Filters, filters_of
from dormouse_observer.web.payload_view import LARGEST_DECODED, Node, payload_view, preview, size_text
from dormouse_observer.web.reader import Listed, Standing
from dormouse_observer.web.visible import visible
from dormouse_observer.web.waiting import Commands, sentence

NAMES = Commands("my orders.sqlite", "orders")


def test_what_acts_is_pictured_and_what_is_read_stays() -> None:
    assert visible("\x1b[2J\x00\x7f") == "␛[2J␀␡"
    assert visible("user\u202etxt.exe\u2066\ufeff") == "user⟨U+202E⟩txt.exe⟨U+2066⟩⟨U+FEFF⟩"
    assert visible("hidden\U000e0041\ud800\x9b") == "hidden⟨U+E0041⟩⟨U+D800⟩⟨U+009B⟩"
    kept = "two\nlines\tand ümläut, שלום, 👩\u200d🚀"
    assert visible(kept) == kept


def nodes(node: Node) -> int:
    return 1 + sum(nodes(child) for child in node.children)


def deepest(node: Node) -> int:
    return 1 + max((deepest(child) for child in node.children), default=0)


def test_a_payload_becomes_a_tree() -> None:
    view = payload_view(b'{"name":"tea","counts":[1,2.5,true,null],"none":{}}')
    assert view.root is not None
    name, counts, none = view.root.children
    assert (name.label, name.kind, name.text) == ("name", "text", "tea")
    assert [(one.kind, one.text) for one in counts.children] == [
        ("number", "1"), ("number", "2.5"), ("word", "true"), ("word", "null"),
    ]  # fmt: skip
    assert (counts.text, none.text, view.is_cut) == ("4 values", "0 fields", False)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 500 + b"]" * 500,
        b"[" * 100_000 + b"]" * 100_000,
        json.dumps(list(range(100_000))).encode(),
        json.dumps({f"key {number}" * 50: "x" * 5000 for number in range(150)}).encode(),
        b'"' + b"x" * LARGEST_DECODED + b'"',
    ],
    ids=["deep", "deeper than any parser goes", "long", "wide", "large"],
)
def test_whatever_its_size_only_so_much_is_shown_and_that_is_said(payload: bytes) -> None:
    view = payload_view(payload)
    assert (view.size, view.is_cut) == (len(payload), True)
    if view.root is None:
        assert len(view.text or "") <= 64 * 1024
    else:
        assert nodes(view.root) <= 601
        assert deepest(view.root) <= 25


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_shown(payload: bytes) -> None:
    view = payload_view(payload)
    assert (view.root is None) != (view.text is None)
    preview(payload)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_all_json_is_shown_as_a_tree(value: Any) -> None:
    try:
        payload = json.dumps(value).encode()
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return
    assert payload_view(payload).root is not None


def test_a_preview_is_one_short_line_with_gaps_where_parts_lie_elsewhere() -> None:
    assert preview(b'\x01{"a":\x02\x00\x00\x00\x00\x07,\n "b":1}') == '{"a":…, "b":1}'
    assert len(preview(b"x" * 10_000)) == 141


def test_sizes_and_durations_are_said_as_people_say_them() -> None:
    assert [size_text(size) for size in (0, 1023, 1536, 5 * 1024 * 1024)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "5.0 MiB",
    ]
    spans = (-5, 7, 1500, 2_500_000, 61_000_000, 3_600_000_000, 90_061_000_000)
    assert [duration(span) for span in spans] == ["0 µs", "7 µs", "2 ms", "2.5 s", "1 min 1 s", "1 h", "1 d 1 h"]


def test_filters_are_read_from_a_url_and_written_into_one() -> None:
    query = {
        "state": "Failed",
        "workflow": "order",
        "q": " 50%_ ",
        "since": "2026-05-01",
        "sort": "oldest",
        "after": "7",
    }
    filters = filters_of(query)
    assert filters == Filters(Status.FAILED, "order", "50%_", date(2026, 5, 1), None, "oldest", 7)
    assert filters.at() == "?state=Failed&workflow=order&q=50%25_&since=2026-05-01&sort=oldest"
    assert filters.at(state=None, after=9).endswith("sort=oldest&after=9")
    where, values = filters.where()
    assert where.endswith("key > ? ORDER BY key ASC")
    assert r"%50\%\_%" in values
    assert Filters().at() == "?"


@pytest.mark.parametrize(
    "query", [{"state": "x"}, {"sort": "x"}, {"since": "x"}, {"until": "9999-12-31"}, {"after": "²"}, {"q": "x" * 201}]
)
def test_a_wrong_filter_is_refused_by_its_name(query: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=f"`{next(iter(query))}`"):
        filters_of(query)


def row(status: Status, **changes: Any) -> Listed:
    fields: dict[str, Any] = dict.fromkeys(Listed.__dataclass_fields__)
    return Listed(**fields | {"key": 1, "id": "o-1", "workflow": "order", "status": status, "started_at": 0} | changes)


def test_one_sentence_says_what_it_waits_for_and_what_to_do() -> None:
    failure = Failure("OSError", "no answer")
    for waiting, said, command in (
        (Waiting("timer", due=86_400_000_000), "a timer, until 1970-01-02T00:00:00.000Z", ""),
        (Waiting("signal", "paid"), "signal paid", "dormouse signal orders o-1 paid VALUE"),
        (
            Waiting("approval", "ok", id="d1"),
            "the approval ok with the digest d1",
            "dormouse approve orders o-1 ok --digest d1",
        ),
        (Waiting("resume"), "somebody to resume it", "dormouse resume orders --execution o-1"),
        (
            Waiting("activity", "ask", 3, failure, 0, source="a.py:7"),
            "attempt 3 at 1970-01-01T00:00:00.000Z, after OSError: no answer (a.py:7)",
            "",
        ),
    ):
        found = sentence(row(Status.OPEN), Standing((waiting,)), NAMES)
        assert said in found.text
        assert found.command == command
    assert (
        "and for 41 more"
        in sentence(row(Status.OPEN), Standing((Waiting("signal"), Waiting("signal")), 40), NAMES).text
    )


def test_a_fork_that_was_made_meanwhile_is_told_with_a_duration() -> None:
    forks = (Fork("o-1", 3, at=2_000_000),)
    assert took(1_000_000, 3_000_000, forks) == "2.0 s, the fork's pause included"
    assert took(1_000_000, 2_000_000, forks) == "1.0 s, the fork's pause included"
    for begin, end in ((0, 1_000_000), (2_000_000, 3_000_000)):
        assert took(begin, end, forks) == "1.0 s", "all of it lies before the fork, or behind it"
    assert took(1_000_000, 3_000_000, ()) == "2.0 s"


def test_one_sentence_says_how_it_ended() -> None:
    completed = sentence(row(Status.COMPLETED, closed_at=2_500_000), Standing(took="2.5 s"), NAMES)
    assert completed.text == "It completed in 2.5 s."
    failed = sentence(
        row(Status.FAILED, closed_at=1_000_000),
        Standing(failure=Failure("E", "a\nb", source="o.py:3"), took="1.0 s"),
        NAMES,
    )
    assert failed.text == "It failed after 1.0 s: E: a (o.py:3)"
    assert failed.command == "dormouse debug 'my orders.sqlite' --execution o-1 --code ."
    blocked = sentence(row(Status.BLOCKED), Standing(blocked=Blocked("diverged", "the code asks for b")), NAMES)
    assert "the code asks for b" in blocked.text
    assert blocked.command == "dormouse replay 'my orders.sqlite' --code . --execution o-1"
    assert "encrypted" in sentence(row(Status.FAILED), Standing(unreadable="no key"), NAMES).text


def test_a_command_to_be_copied_makes_no_file_that_is_there_already() -> None:
    assert NAMES.beside("mended") == "mended.sqlite"
    assert Commands("here/mended.sqlite", "orders").beside("mended") == "mended-again.sqlite"
