"""What does the operator do while the API server refuses the pod of a workflow: a quota, a LimitRange, a webhook?"""

from __future__ import annotations

import pytest
from aiohttp import web
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling

from dormouse_operator.dev.seaweedfs import SeaweedFS

QUOTA = "exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2"


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


class Quota:
    """Refuses the pods of one workflow while it is full."""

    def __init__(self, workflow: str) -> None:
        self._workflow = workflow
        self.is_full = True
        self.refusals = 0

    async def __call__(self, request: web.Request) -> web.Response | None:
        if not (self.is_full and request.method == "POST" and request.path.endswith("/pods")):
            return None
        name = (await request.json())["metadata"]["name"]
        if not name.startswith(f"{self._workflow}-"):
            return None
        self.refusals += 1
        return error(403, f'pods "{name}" is forbidden: {QUOTA}')


def writes(made: Fleet) -> list[str]:
    """All but those of the Lease, of tokens and of the other workflow."""
    told = [each for each in made.server.requests if each.startswith(("PATCH", "PUT", "POST")) and "403" not in each]
    return [each for each in told if "report" in each or "/events" in each]


def test_a_pod_that_a_quota_refuses_is_asked_for_again_without_a_word_until_there_is_room(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        quota = Quota("report")
        with made.server.fault(quota):
            async with made.operator():
                await made.apply_store()
                await made.apply()
                await made.server.until(lambda: made.condition("Stalled").get("reason") == "QuotaExceeded")
                await made.calm()
                said, refused = writes(made), quota.refusals
                await made.server.until(lambda: quota.refusals >= refused + 2)
                await made.calm()
                assert writes(made) == said, "it was said once"
                assert made.reasons().count("QuotaExceeded") == 1
                assert "PodCreated" not in made.reasons()
                await made.apply("another")
                await made.server.until(lambda: "another-e1" in made.server.names("pods"))
                quota.is_full = False
                await made.runs("report-e1")
                await made.phase("Running")
                assert made.condition("Stalled")["status"] == "False"
                assert "lastFailure" not in made.status(), "no life has failed"

    tell(story)


def test_another_operator_goes_on_with_the_same_pod(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        quota = Quota("report")
        with made.server.fault(quota):
            async with made.operator():
                await made.apply_store()
                await made.apply()
                await made.server.until(lambda: made.condition("Stalled").get("reason") == "QuotaExceeded")
            quota.is_full = False
            async with made.operator("operator-b"):
                await made.runs("report-e1")
                await made.phase("Running")

    tell(story)


def test_a_changed_spec_is_asked_for_at_once(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        quota = Quota("report")
        with made.server.fault(quota):
            async with made.operator():
                await made.apply_store()
                await made.apply()
                await made.server.until(lambda: quota.refusals == 4)
                await made.calm()
                quota.is_full = False
                await made.apply(template={"metadata": {"labels": {"team": "a"}}})
                await made.server.until(lambda: made.server.names("pods") == ["report-e1"])
                assert made.server.get("pods", "report-e1")["metadata"]["labels"]["team"] == "a"

    tell(story)
