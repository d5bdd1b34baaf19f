"""Is a page told of each change of its file, and of nothing else?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from observed_files import go_on, long_history

from dormouse_observer.web import following
from dormouse_observer.web.following import changes
from dormouse_observer.web.library import Library


async def told(looks: Iterator[str], seen: str) -> list[str]:
    """What is said until the looks are over, with which the server ends."""
    ended = asyncio.Event()
    last = seen

    def look() -> str:
        nonlocal last
        found = next(looks, None)
        if found is None:
            ended.set()
        last = found or last
        return last

    return [said.decode() async for said in changes(look, seen, ended)]


def test_each_change_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "EVERY_SECONDS", 0)
    beginning, *rest = asyncio.run(told(iter(("a", "a", "b", "b", "c")), "a"))
    assert beginning == "retry: 1000\n\n"
    assert rest == ["event: change\ndata: b\n\n", "event: change\ndata: c\n\n"]


def test_a_change_before_the_page_listened_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "EVERY_SECONDS", 0)
    assert asyncio.run(told(iter(("b",)), "a"))[1:] == ["event: change\ndata: b\n\n"]


def test_a_file_looks_different_when_it_went_on_and_not_because_it_was_read(tmp_path: Path) -> None:
    file = long_history(tmp_path / "live.sqlite", 9)
    library = Library([file])
    before = library.look(0)
    with library.reading(0) as opened:
        opened.counts()
    assert library.look(0) == before
    go_on(file)
    after = library.look(0)
    assert after != before
    library.close()
    file.unlink()
    assert library.look(0) not in (before, after), "that it is gone is a change as well"
