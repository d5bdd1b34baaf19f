"""Is an event told once and counted up, and is an object that has too much to tell held back?"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from dormouse_operator.api.rules import DNS_SUBDOMAIN
from dormouse_operator.controller.api_server import ApiServer, Conflict, NotFound, Refused
from dormouse_operator.controller.events import EventTeller, event_document
from dormouse_operator.controller.resources import Document, Resource
from dormouse_operator.controller.tally import Tally
from dormouse_operator.plan import EmitEvent

RAN = EmitEvent("Normal", "PodCreated", "pod report-e1 lives in epoch 1")


class Server:
    """Keeps events by their names."""

    def __init__(self) -> None:
        self.events: dict[str, Document] = {}
        self.requests = 0

    async def create(self, resource: Resource, document: Document) -> Document:  # noqa: ARG002 - as there
        self.requests += 1
        name = document["metadata"]["name"]
        if name in self.events:
            raise Conflict(name)
        self.events[name] = dict(document)
        return document

    async def get(self, resource: Resource, namespace: str, name: str) -> Document:  # noqa: ARG002 - as there
        self.requests += 1
        return self.events[name]

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Document) -> Document:  # noqa: ARG002
        self.requests += 1
        if name not in self.events:
            raise NotFound(name)
        self.events[name] |= patch
        return self.events[name]

    def counts(self) -> list[int]:
        return [event["count"] for event in self.events.values()]


def about(uid: str = "uid") -> Document:
    metadata = {"name": "report", "namespace": "team", "uid": uid}
    return {"apiVersion": "dormouse.dev/v1alpha1", "kind": "DurableWorkflow", "metadata": metadata}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def teller(server: Any, clock: Clock | None = None) -> EventTeller:
    return EventTeller(cast("ApiServer", server), "operator-a", Tally(), clock or Clock())


def test_what_is_said_again_is_counted_up_by_another_operator_too() -> None:
    async def story() -> None:
        server = Server()
        first = teller(server)
        await first.tell(about(), RAN)
        await first.tell(about(), RAN)
        await teller(server).tell(about(), RAN)
        assert server.counts() == [3]

    asyncio.run(story())


def test_an_event_that_expired_meanwhile_is_told_anew() -> None:
    async def story() -> None:
        server = Server()
        made = teller(server)
        await made.tell(about(), RAN)
        server.events.clear()
        await made.tell(about(), RAN)
        assert server.counts() == [1]

    asyncio.run(story())


def test_an_event_that_is_refused_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Forbidding(Server):
        async def create(self, resource: Resource, document: Document) -> Document:  # noqa: ARG002 - as there
            raise Refused("events is forbidden")

    asyncio.run(teller(Forbidding()).tell(about(), RAN))
    assert "was not told: events is forbidden" in caplog.text


def test_an_object_that_has_too_much_to_tell_is_held_back_and_no_other_one_is() -> None:
    async def story() -> None:
        server, clock = Server(), Clock()
        made = teller(server, clock)
        for number in range(1000):
            await made.tell(about(), EmitEvent("Warning", "PodFailed", f"epoch {number}: it failed"))
        assert len(server.events) == 25
        await made.tell(about("another"), RAN)
        assert len(server.events) == 26
        clock.now += 600
        for number in range(1000, 2000):
            await made.tell(about(), EmitEvent("Warning", "PodFailed", f"epoch {number}: it failed"))
        assert len(server.events) == 28

    asyncio.run(story())


@pytest.mark.parametrize("name", ["a" * 253, "a" * 235 + "-" + "b" * 17, "a" * 235 + ".b" + "c" * 16, "report"])
def test_an_event_of_an_object_with_the_longest_name_has_a_name_that_kubernetes_takes(name: str) -> None:
    store = {**about(), "metadata": {**about()["metadata"], "name": name}}
    made = event_document(store, RAN, "operator-a", "2026-03-01T12:00:00Z")["metadata"]["name"]
    assert DNS_SUBDOMAIN.fullmatch(made), made
    assert len(made) <= 253
