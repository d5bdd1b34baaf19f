"""Can a list be read in which one object is nested more deeply than Python decodes?"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from dormouse_operator.api import InvalidManifest, check_nesting
from dormouse_operator.controller.deep_documents import decode


def nested(levels: int, opened: str = '{"a":', closed: str = "}") -> str:
    return opened * levels + "1" + closed * levels


def depth(value: Any) -> int:
    found = 0
    while isinstance(value, dict | list):
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
        found += 1
    return found


@pytest.mark.parametrize(("opened", "closed"), [('{"a":', "}"), ("[", "]"), ('[{"a":', "}]")])
def test_all_others_are_there_as_they_are_and_the_deep_one_is_cut(opened: str, closed: str) -> None:
    others = [{"name": 'a "{[" \\', "braces": "}}]]\\"}, {"name": "ü", "none": None}]
    deep = nested(sys.getrecursionlimit() * 3, opened, closed)
    text = f'[{json.dumps(others[0])}, {{"name": "deep", "input": {deep}, "after": 7}}, {json.dumps(others[1])}]'
    first, cut, last = decode(text.encode())
    assert [first, last] == others
    assert (cut["name"], cut["after"]) == ("deep", 7)
    with pytest.raises(InvalidManifest, match="nested more than 64 levels deep"):
        check_nesting(cut["input"], "spec.start.input")


def test_what_python_decodes_is_as_it_was_written() -> None:
    assert depth(decode(nested(600).encode())) == 600


@pytest.mark.parametrize("levels", [63, 64, 65])
def test_so_many_levels_are_taken(levels: int) -> None:
    value = decode(nested(levels, "[", "]").encode())
    if levels <= 64:
        check_nesting(value, "here")
        return
    with pytest.raises(InvalidManifest) as refused:
        check_nesting(value, "here")
    assert refused.value.path == "here"
