"""Is a large payload the same when it is put together again, and does what repeats lie there once?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dormouse.engine.folding import LARGE, fold, references, unfold
from dormouse.engine.payload import encode


class Shelf:
    """Keeps parts, as the file does."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.bytes = 0
        self._numbers: dict[bytes, int] = {}

    def keep(self, content: bytes) -> int:
        number = self._numbers.setdefault(content, len(self.parts))
        if number == len(self.parts):
            self.parts.append(content)
            self.bytes += len(content)
        return number

    def read(self, number: int) -> bytes:
        return self.parts[number]

    def stores(self, payload: bytes) -> int:
        """How many bytes a payload takes, and that it comes back."""
        before = self.bytes
        stored = fold(payload, self.keep)
        assert unfold(stored, self.read) == payload
        return len(stored) + self.bytes - before


def message(number: int, length: int = 2000) -> dict[str, str]:
    return {"role": "user", "content": f"{number:08}" * (length // 8)}


scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20)
texts = st.builds(lambda word, times: word * times, st.text(min_size=1, max_size=5), st.integers(1, 1500))
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=6),
    max_leaves=40,
)


@given(values)
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    Shelf().stores(encode(value))


def test_what_is_small_is_stored_as_it_is() -> None:
    shelf = Shelf()
    payload = encode([message(1, 500), message(2, 400)])
    assert len(payload) <= LARGE
    assert fold(payload, shelf.keep) is payload
    assert shelf.parts == []


def test_a_conversation_that_is_sent_again_and_again_costs_what_was_added() -> None:
    shelf = Shelf()
    conversation: list[dict[str, str]] = []
    cost = []
    for number in range(300):
        conversation.append(message(number))
        cost.append(shelf.stores(encode([{"messages": conversation, "model": "large"}])))
    assert sum(cost[:100]) < 1.3 * len(encode(conversation[:100]))
    assert sum(cost) < 1.5 * len(encode(conversation))
    assert max(cost) < len(encode(conversation[0])) + 5 * LARGE


def test_an_answer_is_shared_with_the_conversation_that_it_becomes_part_of() -> None:
    shelf = Shelf()
    answer = message(7)
    shelf.stores(encode(answer))
    assert shelf.stores(encode([[message(1), answer]])) < 1.2 * len(encode(message(1)))
    shelf.stores(encode(answer["content"]))
    assert shelf.stores(encode([answer["content"], "short"])) < 100


def test_what_moves_to_another_place_is_shared() -> None:
    shelf = Shelf()
    messages = [message(number) for number in range(50)]
    whole = shelf.stores(encode(messages))
    assert shelf.stores(encode({"messages": messages[10:], "system": "short"})) < whole / 50


def test_long_lists_of_small_values_share_their_beginning() -> None:
    shelf = Shelf()
    numbers = list(range(20_000))
    whole = shelf.stores(encode(numbers))
    assert whole < 1.1 * len(encode(numbers))
    assert shelf.stores(encode([*numbers, 1])) < 5 * LARGE


def test_parts_hold_parts() -> None:
    shelf = Shelf()
    threads = [{"name": str(number), "messages": [message(10 * number + one) for one in range(9)]} for number in (1, 2)]
    shelf.stores(encode(threads))
    threads[1]["messages"].append(message(99))  # type: ignore[attr-defined]
    assert shelf.stores(encode(threads)) < 1.2 * len(encode(message(99)))


@pytest.mark.parametrize(
    "foreign",
    [
        b'[ "' + b"a" * 2000 + b'", 1]',
        b'{"a": "' + b"a" * 2000 + b'"}',
        b'{"a":"' + b"a" * 2000 + b'","a":1}',
        b'{"\\u0061":"' + b"a" * 2000 + b'"}',
        b'["\x02' + b"a" * 2000 + b'"]',
        b"[" * 3000 + b"]" * 3000,
        b"[" + b"a" * 2000,
    ],
)
def test_json_that_is_not_written_as_ours_comes_back_as_it_was(foreign: bytes) -> None:
    assert len(msgspec.Raw(foreign)) > LARGE
    Shelf().stores(foreign)


def test_it_is_known_which_parts_a_payload_needs() -> None:
    shelf = Shelf()
    stored = fold(encode([message(1), "small", message(2)]), shelf.keep)
    outer = references(stored)
    assert len(outer) == 2
    inner = [number for one in outer for number in references(shelf.read(one))]
    assert sorted([*outer, *inner]) == list(range(len(shelf.parts)))
    assert references(b'["plain"]') == []
