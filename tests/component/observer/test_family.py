"""Does the page of an execution show all that hangs below it, and stay a page? Files that a real engine has written."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from asked_pages import asking

from dormouse import Engine, workflow
from dormouse_observer.tree import tree_of
from dormouse_observer.web.family import MOST, Family, family_of
from dormouse_observer.web.reader import PagedFile
from dormouse_observer.web.waiting import Commands


@workflow
async def branch(size: tuple[int, int]) -> int:
    depth, width = size
    return 1 + sum([await branch((depth - 1, width)) for _ in range(width)] if depth else [])


async def _grown(database: Path, depth: int, width: int) -> None:
    async with Engine(database, [branch]) as engine:
        await (await engine.start(branch, (depth, width), id="top")).result()
        await (await engine.start(branch, (0, 0), id="other")).result()


def grown(database: Path, depth: int, width: int) -> Path:
    asyncio.run(_grown(database, depth, width))
    return database


def family(path: Path, execution: str = "top") -> Family:
    with PagedFile(path) as file:
        return family_of(file, file.one(execution), Commands("f", "TARGET"))


class Nesting(HTMLParser):
    """How many levels of the tree are open around each link to an execution; and that each that opens closes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.depths: list[tuple[str, int]] = []
        self.unfolded: list[bool] = []
        self._open: list[str] = []
        _, _, rest = page.partition('<h2 id="children">')
        self.feed(rest.partition("</section>")[0])
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "details":
            self.unfolded.append("open" in dict(attrs))
        if tag == "a":
            self.depths.append((str(dict(attrs)["href"]).rpartition("/")[2], self._open.count("ul")))
        if tag in ("ul", "li", "details"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ul", "li", "details"):
            assert self._open.pop() == tag


def test_the_whole_tree_is_on_the_page_as_the_command_draws_it(tmp_path: Path) -> None:
    file = grown(tmp_path / "tree.sqlite", depth=3, width=2)
    with asking(file) as client:
        nesting = Nesting(client.get("/executions/top").text)
        inner = Nesting(client.get("/executions/top.1").text)
    drawn = tree_of(file, "top", 100, None).nodes[1:]
    assert nesting.depths == [(node.id, node.depth) for node in drawn]
    assert len(nesting.depths) == 14
    assert nesting.unfolded == [True, False, False, True, False, False]
    assert [depth for _, depth in inner.depths] == [1, 2, 2, 1, 2, 2]


def test_it_is_bounded_and_says_how_to_see_the_rest(tmp_path: Path) -> None:
    file = grown(tmp_path / "wide.sqlite", depth=1, width=MOST + 1)
    assert (len(family(file).members), family(file).is_cut) == (MOST, True)
    with asking(file) as client:
        page = client.get("/executions/top").text
        assert len(Nesting(page).depths) == MOST
        assert f"dormouse tree {file} --execution top" in page


def test_just_as_many_as_a_page_holds_are_all_there_are(tmp_path: Path) -> None:
    file = grown(tmp_path / "wide.sqlite", depth=1, width=MOST)
    assert (len(family(file).members), family(file).is_cut) == (MOST, False)


def test_a_long_line_of_descendants_is_well_formed(tmp_path: Path) -> None:
    file = grown(tmp_path / "deep.sqlite", depth=60, width=1)
    with asking(file) as client:
        nesting = Nesting(client.get("/executions/top").text)
    assert [depth for _, depth in nesting.depths] == list(range(1, 61))


@pytest.mark.parametrize("execution", ["top", "top.1"])
def test_a_file_in_which_they_call_each_other_in_a_ring_is_shown_too(tmp_path: Path, execution: str) -> None:
    file = grown(tmp_path / "ring.sqlite", depth=1, width=1)
    with closing(sqlite3.connect(file)) as connection, connection:
        (key,) = connection.execute("SELECT key FROM execution WHERE id = 'top.1'").fetchone()
        connection.execute("UPDATE execution SET parent = ? WHERE id = 'top'", (key,))
    assert len(family(file, execution).members) == 1
    assert len(tree_of(file, execution, 100, None).nodes) == 2


def test_what_calls_nothing_has_no_tree(tmp_path: Path) -> None:
    file = grown(tmp_path / "one.sqlite", depth=0, width=0)
    assert family(file, "other") == Family(())
    with asking(file) as client:
        assert 'id="children"' not in client.get("/executions/other").text
