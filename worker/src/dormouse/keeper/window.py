"""How far back can this workflow be restored? Looked up in the store at the beginning of a life, and rarely again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from dormouse.keeper.origin import files_below, written_when
from dormouse.replica.current import Current
from dormouse.replica.history import AskFiles, File, oldest
from dormouse.replica.store import HistoryStore, StoreError

_log = logging.getLogger("dormouse.keeper")
_AGAIN_SECONDS = 6 * 3600.0
"""Within an epoch, what is kept ends only where a snapshot is removed, and these are a day apart."""
_UNANSWERED_SECONDS = 60.0
_NOTHING_YET_SECONDS = 2.0


async def oldest_moment(store: HistoryStore, current: Current) -> datetime | None:
    """When the oldest position was written that can still be restored; None when there is none."""
    files: dict[str, list[File]] = {}
    while True:
        step = oldest(current, files)
        if step is None:
            return None
        if not isinstance(step, AskFiles):
            return await written_when(store, step.file)
        files[step.entry.prefix] = await files_below(store, step.entry.prefix)


class Window:
    """Where the window begins, as far as it is known."""

    def __init__(self, store: HistoryStore, current: Callable[[], Current]) -> None:
        """Nothing is asked before `run`."""
        self._store = store
        self._current = current
        self.begins: datetime | None = None

    async def run(self, news: asyncio.Event, pruned: asyncio.Event) -> None:
        """Look it up until cancelled, and at once when epochs were `pruned`; `news` hears of it."""
        while True:
            pruned.clear()
            try:
                self.begins = await oldest_moment(self._store, self._current())
                pause = _NOTHING_YET_SECONDS if self.begins is None else _AGAIN_SECONDS
            except StoreError as error:
                _log.info("the recovery window is not known: %s", error)
                pause = _UNANSWERED_SECONDS
            news.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await pruned.wait()
