"""What does the operator answer to a report that it does not take? Wrong input, wrong sender, wrong moment."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from keeper_pod import free_port
from kubernetes.aio.client import Configuration
from operator_api_documents import Document
from operator_api_server import error
from operator_fleet import Fleet, Tell, telling
from reporting_pods import POD, TOKEN, listening, planned, reviewed

from dormouse.keeper.report import LARGEST_REPORT_BYTES
from dormouse_operator.controller.leading import Candidate
from dormouse_operator.controller.options import Options
from dormouse_operator.controller.running import NotInstalled, run
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def about(pod: Document, **changes: Any) -> bytes:
    (owner,) = pod["metadata"]["ownerReferences"]
    made = {
        "name": owner["name"],
        "namespace": pod["metadata"]["namespace"],
        "workflowUID": owner["uid"],
        "podUID": pod["metadata"]["uid"],
        "epoch": 1,
        "runtime": {"executions": {"open": 1, "running": 1}, "waitingFor": "main runs fetch"},
    }
    return json.dumps({**made, **changes}).encode()


async def post(port: int, body: bytes, token: str = f"Bearer {TOKEN}") -> tuple[int, str, str]:
    """Status, reason and message."""
    headers = {"Authorization": token} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/v1/reports", data=body, headers=headers) as answer,
    ):
        text = await answer.text()
        said = json.loads(text)["error"] if answer.content_type == "application/json" else {}
        return answer.status, said.get("reason", ""), said.get("message", text)


def test_a_pod_s_own_report_is_taken_once_it_is_in_the_status(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(port := free_port())):
            assert (await post(port, about(await planned(made))))[0] == 204
            assert made.status()["waitingFor"] == "main runs fetch"

    tell(story)


def test_what_is_wrong_with_a_report_is_answered_by_field_and_remedy(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(port := free_port())):
            pod = await planned(made)
            good = about(pod)
            stranger = {"metadata": {"name": "stranger", "namespace": "team", "uid": "stranger"}}
            made.server.tokens["stranger"] = reviewed(stranger)
            made.server.tokens["api"] = reviewed(pod, audiences=["https://kubernetes.default.svc"])
            reused = {"metadata": {**pod["metadata"], "uid": "of-an-earlier-pod"}}
            made.server.tokens["earlier"] = reviewed(reused)
            deep = b'{"more": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"
            for body, token, expected in (
                (good, "", (401, "NoToken", "Authorization: Bearer TOKEN")),
                (good, f"Basic {TOKEN}", (401, "NoToken", "Authorization: Bearer TOKEN")),
                (good, "Bearer nonsense", (401, "WrongToken", "audience dormouse.dev")),
                (good, "Bearer api", (401, "WrongToken", "audience dormouse.dev")),
                (good, "Bearer stranger", (404, "UnknownPod", "does not see pod stranger of team")),
                (good, "Bearer earlier", (404, "UnknownPod", "does not see pod report-e1")),
                (about(pod, podUID="another"), f"Bearer {TOKEN}", (403, "NotYours", "podUID is another, not ")),
                (about(pod, name="another"), f"Bearer {TOKEN}", (403, "NotYours", "name is another, not report")),
                (about(pod, epoch=2), f"Bearer {TOKEN}", (403, "NotYours", "epoch is 2, not 1")),
                (b"{", f"Bearer {TOKEN}", (400, "NotJSON", "the body is not JSON")),
                (b"[" * 30_000 + b"]" * 30_000, f"Bearer {TOKEN}", (422, "InvalidReport", "Expected `object`")),
                (deep, f"Bearer {TOKEN}", (400, "NotJSON", "recursion")),
                (about(pod, epoch="one"), f"Bearer {TOKEN}", (422, "InvalidReport", "$.epoch")),
                (b"x" * (LARGEST_REPORT_BYTES + 1), f"Bearer {TOKEN}", (413, "", str(LARGEST_REPORT_BYTES))),
            ):
                status, reason, message = await post(port, body, token)
                assert (status, reason) == expected[:2], message
                assert expected[2] in message
            assert "waitingFor" not in made.status()

    tell(story)


def test_a_pod_that_reports_too_often_is_told_to_wait(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(port := free_port())):
            pod = await planned(made)
            answers = [(await post(port, about(pod)))[:2] for _ in range(2)]
            assert answers == [(204, ""), (429, "TooManyReports")]

    tell(story)


def test_a_token_is_reviewed_once_for_many_reports(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(port := free_port())):
            pod = await planned(made)
            for _ in range(3):
                await post(port, about(pod))
                await post(port, about(pod), "Bearer nonsense")
            assert len([each for each in made.server.requests if "tokenreviews" in each]) == 2

    tell(story)


def test_a_standby_says_that_it_does_not_lead(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("operator-a", **listening(free_port())):
            pod = await planned(made)
            async with made.operator("operator-b", **listening(port := free_port())):
                await made.server.until(lambda: len(made.operators) == 2)
                assert (await post(port, about(pod)))[:2] == (503, "NotTheLeader")

    tell(story)


def test_an_api_server_that_reviews_no_token_is_no_reason_to_give_up(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async def fault(request: web.Request) -> web.Response | None:
            return error(500, "etcd is busy") if "tokenreviews" in request.path else None

        async with made.operator(**listening(port := free_port())):
            pod = await planned(made)
            with made.server.fault(fault):
                assert (await post(port, about(pod)))[:2] == (503, "NotReviewed")
            assert (await post(port, about(pod)))[0] == 204

    tell(story)


def test_more_reports_than_can_be_taken_at_once_are_told_to_come_again(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse_operator.controller.reports._AT_ONCE", 1)

    async def story(made: Fleet) -> None:
        is_asked, go_on = asyncio.Event(), asyncio.Event()

        async def fault(request: web.Request) -> web.Response | None:
            if "tokenreviews" in request.path:
                is_asked.set()
                await go_on.wait()
            return None

        async with made.operator(**listening(port := free_port())):
            pod = await planned(made)
            with made.server.fault(fault):
                first = asyncio.create_task(post(port, about(pod)))
                await is_asked.wait()
                assert (await post(port, about(pod)))[:2] == (503, "Busy")
                go_on.set()
                assert (await first)[0] == 204

    tell(story)


def test_a_body_that_does_not_come_is_not_waited_for(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse_operator.controller.reports._SENDING_SECONDS", 0.05)

    async def story(made: Fleet) -> None:
        async with made.operator(**listening(port := free_port())):
            await planned(made)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = (
                f"POST /v1/reports HTTP/1.1\r\nHost: it\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
            )
            writer.write(head.encode())
            assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
            writer.close()

    tell(story)


def test_a_report_of_a_pod_that_is_not_the_newest_changes_nothing(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(port := free_port())):
            old = await planned(made)
            await made.runs(POD)
            await made.server.remove("pods", POD)
            await made.server.until(lambda: "report-e2" in made.server.names("pods"))
            assert (await post(port, about(old)))[:2] == (404, "UnknownPod")
            assert "waitingFor" not in made.status()

    tell(story)


def test_an_operator_that_cannot_listen_says_which_option_is_wrong(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(**listening(port := free_port())):
            await planned(made)
            options = Options(Candidate("team", "dormouse-operator", "operator-b"), **listening(port))
            with pytest.raises(NotInstalled, match="--reports-port"):
                await run(Configuration(host=made.server.url), options)

    tell(story)
