"""How do reports get under way? Looks at the life whenever it has news, and posts what is due.

Nothing here may disturb a life: whatever goes wrong is logged, and tried again later.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from msgspec import json

from dormouse.keeper.life import Life
from dormouse.keeper.report import Report, replication_of, window_of
from dormouse.keeper.report_post import NotTaken, post
from dormouse.keeper.report_timing import Mail
from dormouse.keeper.settings import Operator
from dormouse.keeper.window import Window
from dormouse.pod import PodSettings

_log = logging.getLogger("dormouse.keeper")
_LOOK_SECONDS = 5.0
"""That the store does not answer comes without any event."""


class Reporter:
    """The reports of one keeper."""

    def __init__(self, operator: Operator, pod: PodSettings, life: Life, window: Window) -> None:
        """Nothing is posted before `run`."""
        self._window = window
        self._operator = operator
        self._pod = pod
        self._life = life
        self._mail = Mail()

    async def run(self) -> None:
        """Look and post until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._life.news.clear()
            report = self._report()
            if report is not None:
                self._mail = self._mail.see(report, clock())
            due = self._mail.due
            if due is not None and due <= clock() and self._mail.waiting is not None:
                await self._post(self._mail.waiting)
                continue
            pause = _LOOK_SECONDS if due is None else min(_LOOK_SECONDS, due - clock())
            try:
                async with asyncio.timeout(max(0.0, pause)):
                    await self._life.news.wait()
            except TimeoutError:
                continue

    def _report(self) -> Report | None:
        """None until the life has begun."""
        seen = self._life.seen()
        if seen is None:
            return None
        pod = self._pod
        return Report(
            name=pod.name,
            namespace=pod.namespace,
            workflow_uid=pod.workflow_uid,
            pod_uid=pod.pod_uid,
            epoch=pod.epoch,
            position=seen.position,
            replication=replication_of(
                seen.trouble,
                seen.overdue_seconds,
                None if pod.durability == "Sync" else float(pod.max_lag_seconds),
                datetime.now(UTC),
            ),
            runtime=seen.runtime_status,
            recovery_window=window_of(self._window.begins, seen.overdue_seconds, datetime.now(UTC)),
        )

    async def _post(self, report: Report) -> None:
        clock = asyncio.get_running_loop().time
        try:
            await post(self._operator, json.encode(report))
        except NotTaken as why:
            level = logging.INFO if self._mail.failures else logging.WARNING
            self._mail = self._mail.failed(clock())
            pause = self._mail.not_before - clock()
            _log.log(level, "the operator did not take a report: %s; trying again in %.1f s", why, pause)
        else:
            self._mail = self._mail.took(report, clock())
