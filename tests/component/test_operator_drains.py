"""Does a workflow with `spec.disruption` keep its pod from being evicted, and leave a cordoned node by itself?"""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling

from dormouse_operator.dev.seaweedfs import SeaweedFS

CAREFUL: dict[str, Any] = {"disruption": {"waitForIdleSeconds": 1}}


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Tell:
    monkeypatch.setattr("dormouse_operator.controller.cordons._LOOK_SECONDS", 0.05)
    monkeypatch.setattr("dormouse_operator.controller.cordons._REFUSED_SECONDS", 0.05)
    return telling(seaweedfs, request.node.name)


async def cordon(made: Fleet, *, unschedulable: bool = True) -> None:
    metadata = {"name": "node-a", "namespace": ""}
    await made.server.put("nodes", {"metadata": metadata, "spec": {"unschedulable": unschedulable}})


async def running(made: Fleet) -> None:
    await made.apply_store()
    await made.apply(**CAREFUL)
    await made.runs("report-e1")
    await made.server.until(lambda: made.condition("Draining").get("reason") == "NodeOpen")
    await made.server.until(lambda: len(made.server.names("poddisruptionbudgets")) == 1)


def test_a_busy_pod_ends_with_its_grace_once_the_time_is_up(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await running(made)
            await cordon(made)
            await made.server.until(lambda: made.condition("Draining").get("status") == "True")
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            assert made.reasons().count("NodeCordoned") == 1
            await cordon(made, unschedulable=False)
            await made.obey_deletions()
            await made.runs("report-e2")
            await made.server.until(lambda: made.condition("Draining").get("reason") == "NodeOpen")

    tell(story)


def test_the_budget_goes_with_the_field(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await running(made)
            await made.apply()
            await made.server.until(lambda: made.server.names("poddisruptionbudgets") == [])
            await made.server.until(lambda: made.condition("Draining") == {})

    tell(story)


def test_another_operator_takes_the_budget_away_that_one_before_it_made(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await running(made)
        await made.apply(operatingMode="Suspended", **CAREFUL)
        async with made.operator("operator-b"):
            await made.server.until(lambda: made.server.names("poddisruptionbudgets") == [])

    tell(story)


def test_a_budget_that_somebody_deletes_is_not_made_again(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=0.2):
            await running(made)
            (budget,) = made.server.names("poddisruptionbudgets")
            await made.server.remove("poddisruptionbudgets", budget)
            await cordon(made)
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            assert made.server.names("poddisruptionbudgets") == []

    tell(story)


def test_where_the_chart_does_not_allow_it_that_is_said_and_nothing_is_held_up(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        refused = {"nodes"}

        async def fault(request: web.Request) -> web.Response | None:
            plural = request.path.rpartition("/")[2]
            return error(403, f"{plural} is forbidden") if plural in refused else None

        with made.server.fault(fault):
            async with made.operator():
                await made.apply_store()
                await made.apply(**CAREFUL)
                await made.runs("report-e1")
                await made.server.until(lambda: made.condition("Draining").get("reason") == "NodesNotRead")
                await made.server.asked("nodes 403")
                assert made.server.names("poddisruptionbudgets") == []
                refused.clear()
                refused.add("poddisruptionbudgets")
                await made.server.until(lambda: made.condition("Draining").get("reason") == "BudgetRefused")
                assert "poddisruptionbudgets is forbidden" in made.condition("Draining")["message"]

    tell(story)


def test_nobody_looks_at_nodes_for_workflows_that_do_not_ask_for_it(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=0.2):
            await made.running()
            await made.server.lists(2)
            assert [each for each in made.server.requests if "nodes" in each or "poddisruption" in each] == []

    tell(story)
