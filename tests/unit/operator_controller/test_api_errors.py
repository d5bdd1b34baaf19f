"""What does an answer of the API server that is an error mean for a step: try again, give in, or go on?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from kubernetes.aio.client import Configuration

from dormouse_operator.controller.api_server import (
    ApiError,
    ApiServer,
    Conflict,
    NamespaceEnds,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)
from dormouse_operator.controller.resources import PODS

ENDS = {"details": {"causes": [{"reason": "NamespaceTerminating"}]}}


def met(status: int, body: dict[str, Any]) -> ApiError:
    """What a request raises that is answered so; 0 is no answer."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if not status:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(body, status=status or 200)

    async def ask() -> None:
        configuration = Configuration()
        async with RawTestServer(answer) as listening:
            configuration.host = str(listening.make_url(""))
            async with ApiServer(configuration) as api:
                await api.get(PODS, "team", "report-e1")

    with pytest.raises(ApiError) as raised:
        asyncio.run(ask())
    return raised.value


@pytest.mark.parametrize("status", [0, 401, 408, 410, 429, 500, 502, 503, 504])
def test_whether_it_was_done_is_not_known_and_it_is_tried_again(status: int) -> None:
    assert type(met(status, {})) is Unavailable


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {}, NotFound),
        (409, {}, Conflict),
        (403, {}, Refused),
        (422, {}, Refused),
        (403, ENDS, NamespaceEnds),
        (413, {}, TooLarge),
        (500, {"message": "etcdserver: request is too large"}, TooLarge),
    ],
)
def test_what_another_try_would_not_change_is_told_apart(status: int, body: dict[str, Any], kind: type) -> None:
    found = met(status, {"message": "no", **body})
    assert type(found) is kind
    assert str(body.get("message", "no")) in str(found)
