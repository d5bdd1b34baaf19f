"""What happens to what is larger than an API server keeps? It is told with its remedy, and others are served."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from operator_api_server import LARGEST_BYTES, error
from operator_fleet import Fleet, Tell, telling

from dormouse.replica.current import State
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def template(length: int) -> dict[str, Any]:
    """Nothing that the definitions look at."""
    return {"spec": {"nodeSelector": {"disk": "x" * length}}}


NO_ROOM = template(LARGEST_BYTES - 1200)
"""The API server took it, and has no room for a status."""


def written(made: Fleet, name: str) -> list[str]:
    """Every write about one workflow, also what was not done."""
    return [each for each in made.server.requests if f"/{name}" in each and not each.startswith("GET")]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, "etcdserver: request is too large"),
        (500, "rpc error: code = ResourceExhausted: trying to send message larger than max (2200505 vs. 2097152)"),
        (413, "Request entity too large: limit is 3145728"),
    ],
)
def test_a_pod_that_is_too_large_is_refused_as_others_are_and_costs_no_epoch(
    tell: Tell, status: int, said: str
) -> None:
    async def story(made: Fleet) -> None:
        refused = 0

        async def fault(request: web.Request) -> web.Response | None:
            nonlocal refused
            if request.method != "POST" or not request.path.endswith("/pods"):
                return None
            if not (await request.json())["metadata"]["name"].startswith("report-"):
                return None
            refused += 1
            return error(status, said)

        async with made.operator():
            await made.apply_store()
            with made.server.fault(fault):
                await made.apply()
                await made.server.until(lambda: made.condition("Stalled").get("reason") == "PodRefused")
                assert said in made.condition("Stalled")["message"]
                assert "belongs into a ConfigMap that the template mounts" in made.condition("Stalled")["message"]
                await made.calm()
                told = [each for each in written(made, "report") if "413" not in each and "500" not in each]
                await made.server.until(lambda: refused >= 4)
                await made.calm()
                assert [each for each in written(made, "report") if "413" not in each and "500" not in each] == told
                assert (made.status()["epoch"], "lastFailure" in made.status()) == (1, False)
                await made.apply("another")
                await made.server.until(lambda: "another-e1" in made.server.names("pods"))
            await made.apply(entrypoint="smaller")
            await made.runs("report-e1")
            await made.phase("Running")

    tell(story)


def test_an_object_without_room_for_a_status_is_an_event_and_has_no_pod_and_another_is_served(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=0.3):
            await made.apply_store()
            await made.apply(template=NO_ROOM)
            await made.server.until(lambda: "InvalidManifest" in made.reasons())
            await made.apply("another")
            await made.server.until(lambda: "another-e1" in made.server.names("pods"))
            # Whatever is found out about the store is a reason to look at its workflows.
            await made.server.until(lambda: bool(made.condition("BucketSettings", "local", "objectstores")))
            await made.server.lists(1)
            await made.calm()
            tried = written(made, "report")
            await made.server.lists(3)
            await made.calm()
            assert written(made, "report") == tried, "it is looked at again in minutes, or when it changes"
            (event,) = [each for each in made.server.all("events") if each["reason"] == "InvalidManifest"]
            assert "make the spec or the annotations smaller" in event["message"]
            assert "report-e1" not in made.server.names("pods")
            await made.apply()
            await made.runs("report-e1")
            await made.phase("Running")

    tell(story)


def test_one_that_grew_while_it_ran_stays_as_it_is_and_can_be_deleted(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.apply(template=NO_ROOM)
            await made.server.until(lambda: "InvalidManifest" in made.reasons())
            await made.calm()
            assert "deletionTimestamp" not in made.server.get("pods", "report-e1")["metadata"]
            await made.server.delete("durableworkflows", "report")
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            await made.seal_and_end("report-e1")
            await made.gone()
            assert (await made.read_current()).state is State.RELEASED

    tell(story)


def test_a_refusal_that_repeats_a_megabyte_is_told_in_short_and_with_its_remedy(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async def fault(request: web.Request) -> web.Response | None:
            if request.method != "POST" or not request.path.endswith("/pods"):
                return None
            value = "x" * 1_000_000
            return error(422, f'Pod "report-e1" is invalid: metadata.labels: Invalid value: "{value}": must be shorter')

        async with made.operator():
            await made.apply_store()
            with made.server.fault(fault):
                await made.apply()
                await made.server.until(lambda: made.condition("Stalled").get("reason") == "PodRefused")
                message = made.condition("Stalled")["message"]
                assert len(message) < 1024, "an event says it too, and has no room for more"
                assert message.startswith('Pod "report-e1" is invalid: metadata.labels')
                assert "must be shorter" in message
                assert "correct the field of spec.template that it names" in message

    tell(story)
