"""Whose is a token, and whose is a report?"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from dormouse.keeper.report import Report
from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.reports_sender import Sender, Senders, TooManyTokens, objection, sender_of
from dormouse_operator.controller.resources import Resource
from unit.operator_plan.pods import life_of

SENDER = Sender("team", "report-e3", "pod-uid")
POD: dict[str, Any] = {
    "metadata": {
        "name": "report-e3",
        "namespace": "team",
        "uid": "pod-uid",
        "labels": {"dormouse.dev/epoch": "4"},
    },
    "spec": life_of("report", "uid"),
}


def reviewed(**changes: Any) -> dict[str, Any]:
    extra = {
        "authentication.kubernetes.io/pod-name": ["report-e3"],
        "authentication.kubernetes.io/pod-uid": ["pod-uid"],
    }
    user = {"username": "system:serviceaccount:team:default", "extra": extra}
    return {"status": {"authenticated": True, "audiences": ["dormouse.dev"], "user": user, **changes}}


def report(**changes: Any) -> Report:
    made = {"name": "report", "namespace": "team", "workflow_uid": "uid", "pod_uid": "pod-uid", "epoch": 3}
    return Report(**{**made, **changes})


def test_the_token_of_a_pod_names_its_pod() -> None:
    assert sender_of(reviewed()) == SENDER


@pytest.mark.parametrize(
    "changes",
    [
        {"authenticated": False},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": None},
        {"user": {"username": "system:serviceaccount:team:default"}},
        {"user": {"username": "alice", "extra": reviewed()["status"]["user"]["extra"]}},
        {"user": None},
    ],
)
def test_a_token_that_no_pod_has_for_reports_names_nobody(changes: dict[str, Any]) -> None:
    assert sender_of(reviewed(**changes)) is None


def test_a_report_about_the_sender_s_own_life_is_fine() -> None:
    assert objection(report(), SENDER, POD) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "another"}, "name is another, not report"),
        ({"namespace": "another"}, "namespace is another, not team"),
        ({"workflow_uid": "another"}, "workflowUID is another, not uid"),
        ({"pod_uid": "another"}, "podUID is another, not pod-uid"),
        ({"epoch": 4}, "epoch is 4, not 3"),
    ],
)
def test_a_report_about_anything_else_is_refused_by_its_field(changes: dict[str, Any], told: str) -> None:
    assert told in objection(report(**changes), SENDER, POD)


def test_a_pod_that_is_no_life_may_not_report() -> None:
    assert "name is report, not None" in objection(report(), SENDER, {**POD, "spec": {"containers": []}})


class BusyServer:
    """An API server that reviews tokens when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = asyncio.Event()

    async def create(self, resource: Resource, review: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as there
        self.asked += 1
        await self.go_on.wait()
        return reviewed()


def test_so_many_tokens_wait_to_be_reviewed_and_no_more() -> None:
    async def story() -> None:
        server = BusyServer()
        senders = Senders(cast("ApiServer", server))
        first = [asyncio.create_task(senders.identify(f"token-{number}")) for number in range(8 + 64)]
        await asyncio.sleep(0)
        assert server.asked == 8
        with pytest.raises(TooManyTokens, match="64 other tokens wait"):
            await senders.identify("one more")
        server.go_on.set()
        assert await asyncio.gather(*first) == [SENDER] * 72
        assert await senders.identify("one more") == SENDER

    asyncio.run(story())
