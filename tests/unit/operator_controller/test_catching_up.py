"""Does a list of versions alone find what the watches missed, and read no more than that?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from dormouse_operator.controller.api_server import PAGE, ApiError, ApiServer, NotFound, Unavailable
from dormouse_operator.controller.relisting import catch_up
from dormouse_operator.controller.resources import PODS, Document, Resource
from dormouse_operator.controller.world import World


def pod(name: str, version: int, uid: str = "") -> Document:
    metadata = {"namespace": "team", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"nodeName": f"node-{version}"}, "status": {"phase": "Running"}}


class Listing(ApiServer):
    """An API server with some pods, of which a page has two; `told` is what it was asked for."""

    def __init__(self, *pods: Document, version: int = 100, page: int = 2) -> None:
        self.pods = {each["metadata"]["name"]: each for each in pods}
        self.read = dict(self.pods)
        """As they are when they are read one by one."""
        self.version = version
        self.page = page
        self.told: list[str] = []

    async def _exchange(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
    ) -> bytes:
        assert (resource, subresource, body) == (PODS, "", None)
        if verb == "get":
            assert namespace == "team"
            self.told.append(f"get {name}")
            if name not in self.read:
                raise NotFound(name)
            return json.dumps(self.read[name]).encode()
        first = int((query or {}).get("continue", 0))
        only_metadata = accept.startswith("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
        self.told.append(f"{'versions' if only_metadata else 'list'} from {first}")
        items = list(self.pods.values())[first : first + self.page]
        more = {"continue": str(first + self.page)} if first + self.page < len(self.pods) else {}
        if only_metadata:
            items = [{"metadata": {**each["metadata"], "managedFields": [{"manager": "kubelet"}]}} for each in items]
        return json.dumps({"metadata": {"resourceVersion": str(self.version), **more}, "items": items}).encode()


def world_of(*pods: Document) -> World:
    world = World(lambda _: None)
    for each in pods:
        world.put(PODS, each)
    return world


def caught_up(server: Listing, world: World) -> dict[str, int]:
    """The versions that are known afterwards, by name."""
    assert asyncio.run(catch_up(server, world, (), PODS)) == ()
    return {each["metadata"]["name"]: int(each["metadata"]["resourceVersion"]) for each in world.pods}


def test_what_is_known_is_not_read_again() -> None:
    pods = [pod("a", 1), pod("b", 2), pod("c", 3)]
    server = Listing(*pods)
    assert caught_up(server, world_of(*pods)) == {"a": 1, "b": 2, "c": 3}
    assert server.told == ["versions from 0", "versions from 2"]


def test_what_the_watches_missed_is_read_and_what_they_did_not_tell_as_deleted_is_gone() -> None:
    server = Listing(pod("a", 7), pod("b", 2), pod("new", 9))
    world = world_of(pod("a", 1), pod("b", 2), pod("phantom", 3))
    assert caught_up(server, world) == {"a": 7, "b": 2, "new": 9}
    assert server.told[2:] == ["get a", "get new"]
    assert [each["spec"]["nodeName"] for each in world.pods] == ["node-7", "node-2", "node-9"]


def test_another_one_of_the_same_name_is_read() -> None:
    server = Listing(pod("a", 7, "second"))
    world = world_of(pod("a", 1, "first"))
    assert caught_up(server, world) == {"a": 7}
    assert [each["metadata"]["uid"] for each in world.pods] == ["second"]


def test_what_is_newer_than_the_list_stays_and_is_not_read() -> None:
    server = Listing(pod("a", 1), version=4)
    assert caught_up(server, world_of(pod("a", 5), pod("b", 6))) == {"a": 5, "b": 6}
    assert server.told == ["versions from 0"]


def test_what_was_deleted_since_does_not_come_back() -> None:
    server, world = Listing(pod("a", 1)), world_of(pod("a", 1))
    world.drop(PODS, pod("a", 3))
    assert caught_up(server, world) == {}
    assert server.told == ["versions from 0"]


def test_what_a_watch_tells_while_the_list_comes_is_not_read_for_it() -> None:
    world = world_of()

    class Slow(Listing):
        async def _exchange(self, verb: str, *parts: Any, **options: Any) -> bytes:
            told = await super()._exchange(verb, *parts, **options)
            if len(self.told) == 2:
                world.put(PODS, pod("a", 8))
            return told

    server = Slow(pod("a", 7), pod("b", 2), pod("c", 3))
    assert caught_up(server, world) == {"a": 8, "b": 2, "c": 3}
    assert server.told[2:] == ["get b", "get c"]


def test_what_is_gone_when_it_is_read_keeps_no_other_from_being_read() -> None:
    server = Listing(pod("a", 7), pod("b", 8))
    del server.read["a"]
    assert caught_up(server, world_of()) == {"b": 8}


def test_of_very_many_that_are_missed_whole_lists_are_read() -> None:
    pods = [pod(f"pod-{number:04}", 1) for number in range(PAGE + 1)]
    server = Listing(*pods, page=PAGE)
    assert len(caught_up(server, world_of(pod("phantom", 1)))) == PAGE + 1
    assert server.told == ["versions from 0", f"versions from {PAGE}", "list from 0", f"list from {PAGE}"]


def test_a_version_is_read_of_an_object_whose_fields_are_nested_very_deeply() -> None:
    class Deep(Listing):
        async def _exchange(self, *parts: Any, **options: Any) -> bytes:
            told = await super()._exchange(*parts, **options)
            return told.replace(b'"manager": "kubelet"', b'"fieldsV1": ' + b'{"f:a": ' * 9_000 + b"{}" + b"}" * 9_000)

    server = Deep(pod("a", 1), pod("b", 2))
    assert caught_up(server, world_of(pod("a", 1), pod("b", 2), pod("phantom", 1))) == {"a": 1, "b": 2}


@pytest.mark.parametrize("answer", [b"", b"<html>", b'{"items": [{"metadata": {}}]}', b"[]"])
def test_an_answer_that_is_no_list_drops_nothing(answer: bytes) -> None:
    class Broken(Listing):
        async def _exchange(self, *_: Any, **__: Any) -> bytes:
            return answer

    world = world_of(pod("a", 1))
    failures: tuple[ApiError, ...] = asyncio.run(catch_up(Broken(), world, (), PODS))
    assert [type(each) for each in failures] == [Unavailable]
    assert len(list(world.pods)) == 1
