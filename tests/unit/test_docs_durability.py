"""Does every sentence that promises durability name a test that holds it, and is there such a test?"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from markdown_blocks import REPOSITORY

PAGE = (REPOSITORY / "docs" / "durability.md").read_text(encoding="utf-8")
PROMISES = ("What is promised", "Why it holds", "Where it ends")
NOTES = dict(re.findall(r"^\[\^([\w-]+)\]: (.+)$", PAGE, re.MULTILINE))
NAMED = sorted({name for note in NOTES.values() for name in re.findall(r"`([^`]+)`", note)})


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no section {title!r}"
    return found[1]


def sentences(text: str) -> list[str]:
    """Each with the marks of its notes; the bold words that begin a paragraph are a heading."""
    text = re.sub(r"^\*\*.*?\*\* ", "", text, flags=re.MULTILINE)
    return [found.strip() for found in re.findall(r".+?[.?!](?:\[\^[\w-]+\])*(?=\s|$)", text)]


@cache
def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def missing(name: str) -> str:
    """Why there is no such test; empty when there is."""
    path, _, test = name.partition("::")
    function, _, case = test.partition("[")
    file = REPOSITORY / path
    if not file.is_file():
        return "there is no such file"
    if function and function not in functions_of(file):
        return "the file has no such test"
    sources = (each.read_text(encoding="utf-8") for each in file.parent.glob("*.py"))
    if case and not any(f'"{case.removesuffix("]")}"' in source for source in sources):
        return "the test has no such case"
    return ""


@pytest.mark.parametrize("title", PROMISES)
def test_every_sentence_that_promises_something_names_its_tests(title: str) -> None:
    found = sentences(section(title))
    assert found
    for sentence in found:
        marks = re.findall(r"\[\^([\w-]+)\]", sentence)
        assert marks, f"names no test: {sentence}"
        assert set(marks) <= set(NOTES), f"names a note that is not there: {sentence}"


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_is_named_is_there(name: str) -> None:
    assert not missing(name)


def test_every_note_names_tests_and_is_used() -> None:
    prose = re.sub(r"^\[\^[\w-]+\]: .+$", "", PAGE, flags=re.MULTILINE)
    for note, text in NOTES.items():
        assert f"[^{note}]" in prose, f"nothing refers to the note {note!r}"
        assert text.count("`") >= 2, f"the note {note!r} names no test"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tests/unit/test_nothing.py::test_a", "there is no such file"),
        ("tests/unit/test_docs_durability.py::test_a", "the file has no such test"),
        ("tests/unit/model/test_epochs.py::test_nothing_acknowledged_is_lost[a rule]", "the test has no such case"),
    ],
)
def test_a_test_that_is_not_there_is_noticed(name: str, why: str) -> None:
    assert missing(name) == why


def test_a_sentence_without_a_note_is_noticed() -> None:
    assert sentences("**The store.** It keeps `a.b` 0.5.17.[^x] It is `Async`.\n\nNo more.[^y][^z]\n") == [
        "It keeps `a.b` 0.5.17.[^x]",
        "It is `Async`.",
        "No more.[^y][^z]",
    ]
