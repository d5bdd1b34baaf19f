"""Is a status written once, as one patch, and only onto the version that it was made for?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from dormouse_operator.api.durableworkflow import DurableWorkflowStatus
from dormouse_operator.api.metadata import Condition
from dormouse_operator.controller.api_server import ApiServer
from dormouse_operator.controller.resources import WORKFLOWS, Resource
from dormouse_operator.controller.saving import StatusWriter, status_patch

READY = Condition(
    type="Ready", status="True", reason="Running", message="", last_transition_time="2026-01-01T00:00:00Z"
)


def document(status: Mapping[str, Any], version: str = "7") -> dict[str, Any]:
    metadata = {"namespace": "team", "name": "report", "uid": "u", "resourceVersion": version}
    return {"metadata": metadata, "status": dict(status)}


class Server:
    """An API server with an older CRD: it forgets the position."""

    def __init__(self) -> None:
        self.patches: list[Mapping[str, Any]] = []

    async def merge(
        self, resource: Resource, namespace: str, name: str, patch: Mapping[str, Any], subresource: str
    ) -> dict[str, Any]:
        assert (resource, namespace, name, subresource) == (WORKFLOWS, "team", "report", "status")
        self.patches.append(patch)
        kept = {key: value for key, value in json.loads(json.dumps(patch["status"])).items() if key != "position"}
        return document(kept, "8")


def test_only_what_changed_is_sent_and_what_is_gone_is_removed() -> None:
    before = {"epoch": 1, "phase": "Running", "position": "1/9"}
    patch = status_patch(document(before), DurableWorkflowStatus(epoch=2, phase="Running"))
    assert patch is not None
    assert patch["status"] == {"epoch": 2, "position": None}
    assert patch["metadata"] == {"uid": "u", "resourceVersion": "7"}


def test_what_a_newer_operator_wrote_stays() -> None:
    assert status_patch(document({"epoch": 1, "fromTheFuture": 3}), DurableWorkflowStatus(epoch=1)) is None


def test_an_equal_status_needs_no_patch() -> None:
    assert status_patch(document({"epoch": 1}), DurableWorkflowStatus(epoch=1)) is None


def test_an_operator_that_was_restarted_writes_nothing_again() -> None:
    async def story() -> None:
        server = Server()
        status = DurableWorkflowStatus(epoch=1, conditions=(READY,))
        saved = await StatusWriter(cast("ApiServer", server), WORKFLOWS).save(document({}), status)
        assert saved is not None
        assert await StatusWriter(cast("ApiServer", server), WORKFLOWS).save(saved, status) is None
        assert len(server.patches) == 1

    asyncio.run(story())


def test_what_the_api_server_prunes_is_not_sent_again_and_again() -> None:
    async def story() -> None:
        server = Server()
        writer = StatusWriter(cast("ApiServer", server), WORKFLOWS)
        status = DurableWorkflowStatus(epoch=1, position="1/9")
        saved = await writer.save(document({}), status)
        assert saved is not None
        assert await writer.save(saved, status) is None
        assert await writer.save(document({"epoch": 1}, "9"), status) is not None
        assert len(server.patches) == 2

    asyncio.run(story())


def test_so_much_is_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dormouse_operator.controller.saving._REMEMBERED", 1)

    async def story() -> None:
        server = Server()
        writer = StatusWriter(cast("ApiServer", server), WORKFLOWS)
        status = DurableWorkflowStatus(epoch=1, position="1/9")
        first = await writer.save(document({}), status)
        other = document({})
        other["metadata"]["uid"] = "another"
        await writer.save(other, status)
        assert first is not None
        assert await writer.save(first, status) is not None

    asyncio.run(story())
