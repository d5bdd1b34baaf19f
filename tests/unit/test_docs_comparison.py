"""Does the comparison with others name its sources, all of them and no others?"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from markdown_blocks import REPOSITORY

PAGE = (REPOSITORY / "docs" / "comparison.md").read_text()
CLAIMS, _, SOURCES = PAGE.partition("\n## Sources\n")
TABLE = [line.strip("|").split(" | ") for line in CLAIMS.splitlines() if line.startswith("| ")]
HEAD, *ROWS = [[cell.strip() for cell in row] for row in TABLE]
SOURCE = re.compile(r"\[([A-Z]\d+)\]")


def test_it_compares_with_every_engine_that_it_names() -> None:
    assert HEAD[1:] == ["Dormouse", "Temporal", "DBOS", "Restate", "Obelisk", "Inngest", "Hatchet"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_statement_about_another_engine_has_a_source_of_that_engine(row: list[str]) -> None:
    assert len(row) == len(HEAD)
    for engine, cell in zip(HEAD[2:], row[2:], strict=True):
        sources = SOURCE.findall(cell)
        assert sources or cell == "not found", f"{row[0]}, {engine}: {cell}"
        assert all(source[0] == engine[0] for source in sources), f"{row[0]}, {engine}: {cell}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_is_said_of_ourselves_leads_to_the_page_that_says_how_or_is_no(row: list[str]) -> None:
    plain = {"Python", "Apache-2.0"}
    assert "](" in row[1] or row[1] == "no" or row[1] in plain, row[1]


def test_every_source_is_listed_once_and_used() -> None:
    listed = Counter(re.findall(r"^\| ([A-Z]\d+) \|", SOURCES, re.MULTILINE))
    assert set(listed.values()) == {1}
    assert set(listed) == set(SOURCE.findall(CLAIMS))


def test_it_says_when_the_sources_were_read() -> None:
    assert re.search(r"read on \d+ [A-Z][a-z]+ 20\d\d", SOURCES)
