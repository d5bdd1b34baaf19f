"""When is a report taken? Once a status was saved that was planned with it."""

from __future__ import annotations

import asyncio
from typing import Any

from dormouse.keeper.report import Report
from dormouse_operator.controller.reports_inbox import Inbox

KEY = ("team", "report")


def report(**changes: Any) -> Report:
    made = {"name": "report", "namespace": "team", "workflow_uid": "uid", "pod_uid": "pod-uid", "epoch": 3}
    return Report(**{**made, **changes})


def test_a_report_is_taken_once_it_was_saved() -> None:
    async def story() -> None:
        inbox = Inbox()
        with inbox.open():
            said = report()
            saving = inbox.put(KEY, said)
            assert inbox.get(KEY) is said
            assert not saving.done()
            inbox.saved(KEY, said)
            await saving

    asyncio.run(story())


def test_a_status_that_was_planned_before_the_report_came_does_not_take_it() -> None:
    async def story() -> None:
        inbox = Inbox()
        with inbox.open():
            before = report()
            replaced, saving = inbox.put(KEY, before), inbox.put(KEY, report(position="3/9"))
            for planned_with in (None, before):
                inbox.saved(KEY, planned_with)
            assert replaced.cancelled()
            assert not saving.done()

    asyncio.run(story())


def test_a_replica_that_leads_no_more_takes_nothing_and_starts_anew_when_it_leads_again() -> None:
    async def story() -> None:
        inbox = Inbox()
        with inbox.open():
            saving = inbox.put(KEY, report())
        assert saving.cancelled()
        assert not inbox.is_open
        with inbox.open():
            assert inbox.get(KEY) is None

    asyncio.run(story())


def test_a_workflow_that_is_gone_takes_its_report_along() -> None:
    async def story() -> None:
        inbox = Inbox()
        with inbox.open():
            saving = inbox.put(KEY, report())
            inbox.forget(KEY)
            assert saving.cancelled()
            assert inbox.get(KEY) is None

    asyncio.run(story())
