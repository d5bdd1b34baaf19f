"""Does a running operator count what happens, and say when it would not notice any more?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any

import aiohttp
import aiohttp.web
import kopf
import pytest
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling
from prometheus_client.parser import text_string_to_metric_families as read_text

from dormouse_operator.controller.lease import Terms
from dormouse_operator.dev.ports import free_ports
from dormouse_operator.dev.seaweedfs import SeaweedFS

Values = dict[tuple[str, ...], float]


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


async def asked(port: int, path: str) -> tuple[int, str]:
    """As soon as somebody answers there."""
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


async def scraped(port: int) -> Values:
    status, text = await asked(port, "/metrics")
    assert status == 200
    return {(sample.name, *sample.labels.values()): sample.value for one in read_text(text) for sample in one.samples}


def test_what_a_leader_does_is_counted_and_a_standby_says_that_it_is_one(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        leader, standby = free_ports(2)
        # A busy machine must not cost it the lead: who leads anew counts nothing that began before.
        async with made.operator(metrics_port=leader, terms=Terms()):
            await made.running()
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            await made.phase("Running")
            await made.calm()
            async with made.operator("operator-b", metrics_port=standby, terms=Terms()):
                first, second = await scraped(leader), await scraped(standby)
        assert (first["dormouse_operator_leader",], second["dormouse_operator_leader",]) == (1, 0)
        assert first["dormouse_operator_workflows", "team", "Running"] == 1
        assert ("dormouse_operator_workflows", "team", "Running") not in second
        assert first["dormouse_operator_object_stores", "True", "team"] == 1
        assert first["dormouse_operator_pods", "team", "Running"] == 1
        assert first["dormouse_operator_restore_seconds_count",] == 2
        assert first["dormouse_operator_failover_seconds_count",] == 1
        assert first["dormouse_operator_reconciles_total", "workflow", "done"] > 0
        assert first["dormouse_operator_api_requests_total", "201", "pods", "create"] == 2
        assert first["dormouse_operator_store_turns_total", "answered", "probe"] >= 1
        # Each pod's store was proven with writes and read before; what CURRENT says is small, but not nothing.
        assert first["dormouse_operator_store_requests_total", "put", "answered"] > 16
        assert first["dormouse_operator_store_requests_total", "get", "answered"] > 0
        assert first["dormouse_operator_store_requests_total", "get", "failed"] == 0
        assert first["dormouse_operator_store_bytes_total", "put"] > 0
        assert first["dormouse_operator_events_total", "told"] > 0
        assert first["dormouse_operator_queue_depth",] == 0
        assert second["dormouse_operator_reconciles_total", "workflow", "done"] == 0

    tell(story)


def test_a_workflow_that_somebody_has_to_mend_is_counted_with_its_reason(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        (port,) = free_ports(1)
        async with made.operator(metrics_port=port):
            await made.apply()
            await made.phase("Stalled")
            await made.calm()
            found = await scraped(port)
        assert found["dormouse_operator_troubled_workflows", "Stalled", "team", "StoreNotFound"] == 1
        assert found["dormouse_operator_troubled_since_timestamp_seconds", "Stalled", "team"] > 0

    tell(story)


def test_who_is_not_known_to_the_api_server_says_so_until_it_is(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        (port,) = free_ports(1)

        async def says(status: int, line: str) -> None:
            while (answer := await asked(port, "/readyz"))[0] != status or line not in answer[1].splitlines():
                await asyncio.sleep(0.05)

        async def refuses(_: aiohttp.web.Request) -> aiohttp.web.StreamResponse | None:
            return error(401, "Unauthorized")

        async with made.operator(probes_port=port):
            await made.running()
            with made.server.fault(refuses):
                await made.server.break_watches()
                await asyncio.wait_for(says(503, "the API server refuses the operator's token (401)"), 60)
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            await asyncio.wait_for(says(200, "ready"), 60)

    tell(story)


def test_who_is_refused_by_the_api_server_while_it_watches_is_not_ready_until_it_watches_again(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        (port,) = free_ports(1)

        async def is_ready(wanted: bool) -> str:
            while (answer := await asked(port, "/readyz"))[0] != (200 if wanted else 503):
                await asyncio.sleep(0.05)
            return answer[1]

        async def refuses_watches(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse | None:
            return error(404, "page not found") if request.query.get("watch") == "true" else None

        async with made.operator(probes_port=port):
            assert await is_ready(True) == "ready\n"
            with made.server.fault(refuses_watches):
                await made.server.break_watches()
                assert await is_ready(False) == "the watches ended, and have not begun anew\n"
                assert (await asked(port, "/healthz"))[0] == 200
            assert await is_ready(True) == "ready\n"

    tell(story)


def test_a_task_of_kopf_that_outlives_its_cancellation_does_not_keep_the_watches_from_beginning_anew(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = kopf.spawn_tasks

    async def outlives_one() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def spawn_with_one_more(**options: Any) -> Collection[asyncio.Task[Any]]:
        stubborn.append(asyncio.create_task(outlives_one()))
        return await spawn(**options)

    async def story(made: Fleet) -> None:
        async def refuses_watches(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse | None:
            return error(404, "page not found") if request.query.get("watch") == "true" else None

        async with made.operator():
            await made.running()
            with made.server.fault(refuses_watches):
                await made.server.break_watches()
                await made.server.until(lambda: len(stubborn) > 1)
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")

    stubborn: list[asyncio.Task[None]] = []
    monkeypatch.setattr(kopf, "spawn_tasks", spawn_with_one_more)
    tell(story)
