"""Which report has a workflow's newest pod posted, and is it in the status yet?

What is in the status is remembered there; the inbox itself is as short-lived as this leader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from dormouse.keeper.report import Report
from dormouse_operator.controller.resources import Key


class Inbox:
    """One report a workflow: the newest."""

    def __init__(self) -> None:
        """Closed until this replica leads."""
        self.is_open = False
        self._reports: dict[Key, Report] = {}
        self._saving: dict[Key, asyncio.Future[None]] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        """While this replica leads; reports of an earlier time are older than the status is by now."""
        self._reports.clear()
        self.is_open = True
        try:
            yield
        finally:
            self.is_open = False
            for saving in self._saving.values():
                saving.cancel()
            self._saving.clear()

    def put(self, key: Key, report: Report) -> asyncio.Future[None]:
        """Take it; done once a status was saved that was planned with it, cancelled once it never will be."""
        if (replaced := self._saving.pop(key, None)) is not None:
            replaced.cancel()
        self._reports[key] = report
        self._saving[key] = asyncio.get_running_loop().create_future()
        return self._saving[key]

    def get(self, key: Key) -> Report | None:
        """The newest report of this workflow's pods, if there is one since this replica leads."""
        return self._reports.get(key)

    def saved(self, key: Key, report: Report | None) -> None:
        """The status has what this report says."""
        if report is not None and self._reports.get(key) is report:
            saving = self._saving.pop(key, None)
            if saving is not None and not saving.done():
                saving.set_result(None)

    def forget(self, key: Key) -> None:
        """The workflow is gone."""
        self._reports.pop(key, None)
        if (saving := self._saving.pop(key, None)) is not None:
            saving.cancel()
