"""Is the recovery window looked up again when what it began with is no longer promised?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from dormouse.keeper.collecting import Collector
from dormouse.keeper.ownership import Ownership
from dormouse.keeper.window import Window
from dormouse.replica.current import Base, Current, LineageEntry, State
from dormouse.replica.layout import Layout
from dormouse.replica.store import HistoryStore, ListedObject

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST, SECOND, THIRD = (f"orders/epochs/0000000{epoch}-a" for epoch in (1, 2, 3))


class Shelf:
    """A transaction in each epoch, written when the epoch began; its file does not say when."""

    async def objects(self, prefix: str) -> AsyncIterator[ListedObject]:
        key = f"{prefix}0000/{1:016x}-{1:016x}.ltx"
        yield ListedObject(key, 1, NOON if prefix.startswith(FIRST) else NOON + HOUR)

    async def part(self, key: str, start: int, count: int) -> bytes | None:
        del key, start, count
        return b""


def record(*lineage: LineageEntry) -> Current:
    return Current(2, "nonce", "uid", "orders", 2, "owner", State.ACTIVE, lineage=lineage)


class Owned:
    """CURRENT of a life that keeps it."""

    def __init__(self, current: Current) -> None:
        self.current = current

    async def update(self, change: Callable[[Current], Current]) -> None:
        self.current = change(self.current)


class Emptied:
    """Nothing lies below any epoch; that it is asked for says that the lineage was looked at."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def objects(self, prefix: str) -> AsyncIterator[ListedObject]:
        del prefix
        self.asked.set()
        found: tuple[ListedObject, ...] = ()
        for listed in found:
            yield listed


@pytest.mark.parametrize(("retention_seconds", "kept"), [(0, [2, 3]), (86400, [1, 2, 3])])
def test_a_collection_tells_of_epochs_that_left_the_lineage_and_of_nothing_else(
    retention_seconds: int, kept: list[int]
) -> None:
    first = LineageEntry(1, FIRST, NOON.isoformat(), replicated=True)
    second = LineageEntry(2, SECOND, (NOON + HOUR).isoformat(), Base(FIRST, 1, 1), replicated=True)
    third = LineageEntry(3, THIRD, (NOON + 2 * HOUR).isoformat(), Base(SECOND, 2, 1), replicated=True)
    owned, emptied = Owned(replace(record(first, second, third), epoch=3)), Emptied()

    async def story() -> bool:
        pruned = asyncio.Event()
        collector = Collector(
            cast("HistoryStore", emptied), Layout("orders"), cast("Ownership", owned), retention_seconds, pruned
        )
        collecting = asyncio.create_task(collector.run())
        async with asyncio.timeout(30):
            await emptied.asked.wait()
        collecting.cancel()
        return pruned.is_set()

    assert asyncio.run(story()) is (kept != [1, 2, 3])
    assert [entry.epoch for entry in owned.current.lineage] == kept


def test_the_window_begins_later_as_soon_as_epochs_left_the_lineage() -> None:
    newest = LineageEntry(2, SECOND, (NOON + HOUR).isoformat(), Base(FIRST, 1, 1))
    current = record(LineageEntry(1, FIRST, NOON.isoformat()), newest)

    async def story() -> list[datetime | None]:
        nonlocal current
        window = Window(cast("HistoryStore", Shelf()), lambda: current)
        news, pruned = asyncio.Event(), asyncio.Event()
        looking = asyncio.create_task(window.run(news, pruned))
        seen = []
        async with asyncio.timeout(30):
            await news.wait()
            seen.append(window.begins)
            news.clear()
            current = record(newest)
            pruned.set()
            await news.wait()
            seen.append(window.begins)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        return seen

    first, second = asyncio.run(story())
    assert first is not None
    assert second is not None
    assert second - first == HOUR
