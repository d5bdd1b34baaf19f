"""Does the operator need everything that the chart lets it do, and nothing else?

The API server of these tests refuses whatever the chart does not grant, in all tests of the operator.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import certifi
import pytest
from aiohttp import web
from minio_server import MinIO
from operator_fleet import Fleet, Tell, telling

from dormouse.replica.current import SealReason
from dormouse_operator.dev.ports import free_ports


@pytest.fixture
def tell(minio: MinIO, request: pytest.FixtureRequest) -> Tell:
    return telling(minio, request.node.name)


SESSIONS = {"secretRef": {"name": "local"}, "sts": {"roleArn": "arn:minio:iam:::role/none"}}
"""Pods have credentials of their own."""


class OnceInAWhile:
    """Each kind of object is created twice, as by a retry, and changed by somebody else before its first status."""

    def __init__(self, made: Fleet) -> None:
        self._made = made
        self._done: set[str] = set()

    async def __call__(self, request: web.Request) -> web.StreamResponse | None:
        plural, name = ([*request.path.split("/namespaces/team/")[-1].split("/"), ""])[:2]
        if plural in self._done:
            return None
        if request.method == "POST" and plural in ("pods", "events"):
            self._done.add(plural)
            await self._made.server.answer(request)
        elif request.path.endswith("/status"):
            self._done.add(plural)
            await self._made.server.change(plural, name, lambda one: one["metadata"].update(labels={"by": "a-user"}))
        return None


async def report_something(port: int) -> None:
    """Post with a token that the API server must be asked about."""
    url = f"http://127.0.0.1:{port}/v1/reports"
    headers = {"Authorization": "Bearer unknown"}
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{}", headers=headers) as answer:
        assert answer.status == 401


async def trust_some_authority(made: Fleet) -> None:
    """The store names certificates, so that they are held too."""
    some = certifi.contents().partition("-----END CERTIFICATE-----")
    metadata = {"name": "authorities", "namespace": "team"}
    await made.server.put("configmaps", {"metadata": metadata, "data": {"ca.crt": some[0] + some[1]}})
    bundle = {"caBundle": {"configMapRef": {"name": "authorities"}}}
    await made.server.change("objectstores", "local", lambda store: store["spec"].update(bundle))


async def live_a_whole_life(made: Fleet) -> None:
    """A workflow is run, changed, completed and deleted, with a report and with races on the way."""
    (port,) = free_ports(1)
    taking_reports: dict[str, Any] = {
        "reports_port": port,
        "reports_host": "127.0.0.1",
        "reports_url": f"http://127.0.0.1:{port}",
    }
    with made.server.fault(OnceInAWhile(made)):
        async with made.operator(**taking_reports):
            await made.apply_store(credentials=SESSIONS)
            await trust_some_authority(made)
            await made.apply(disruption={"waitForIdleSeconds": 60})
            await made.runs("report-e1")
            await made.phase("Running")
            await made.server.until(lambda: len(made.server.names("poddisruptionbudgets")) == 1)
            await report_something(port)
            await made.apply(source={"inline": "print('changed')\n"}, ttlSecondsAfterFinished=0)
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            await made.seal(SealReason.STOPPED)
            await made.obey_deletions()
            await made.runs("report-e2")
            await made.phase("Running")
            await made.seal(SealReason.COMPLETED)
            await made.tell("report-e2", "Succeeded", said={"reason": "Completed", "result": "succeeded"})
            await made.gone()


def test_everything_that_the_chart_grants_is_used_in_the_life_of_a_workflow(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        await live_a_whole_life(made)
        assert made.server.grants - made.server.used == set()
        assert made.server.used - made.server.grants == set()

    tell(story)
