"""Is no more than one page of a list of thousands ever in memory as a whole?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from dormouse_operator.controller.api_server import PAGE, ApiServer
from dormouse_operator.controller.relisting import relist
from dormouse_operator.controller.resources import PODS, Document, Resource
from dormouse_operator.controller.watching import watch_settings
from dormouse_operator.controller.world import World

MANAGED: dict[str, Any] = {"managedFields": [{"manager": "kubelet"}]}


class Paged(ApiServer):
    """An API server with three pages of pods."""

    def __init__(self) -> None:
        self.pages = [[self._pod(2 * number), self._pod(2 * number + 1)] for number in range(3)]
        self.told: list[str] = []

    async def _request(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Document:
        del namespace, name, subresource, body
        assert (verb, resource, query is not None) == ("list", PODS, True)
        number = int((query or {}).get("continue", 0))
        self.told.append(f"page {number}")
        more = {"continue": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"metadata": {"resourceVersion": "9", **more}, "items": self.pages[number]}

    def _pod(self, number: int) -> Document:
        metadata = {"namespace": "team", "name": f"pod-{number}", "uid": str(number), "resourceVersion": "7"}
        return {"metadata": {**metadata, **MANAGED}, "spec": {"nodeName": "node-a", "volumes": [{"name": "data"}]}}


def test_a_page_is_seen_before_the_next_one_comes() -> None:
    server = Paged()

    def see(document: Document) -> None:
        server.told.append(document["metadata"]["name"])

    assert asyncio.run(server.list_to(see, PODS, None)) == 9
    assert server.told == ["page 0", "pod-0", "pod-1", "page 1", "pod-2", "pod-3", "page 2", "pod-4", "pod-5"]


def test_a_full_list_leaves_in_the_cache_what_a_plan_reads_and_no_more() -> None:
    world = World(lambda _: None)
    assert asyncio.run(relist(Paged(), world, (), PODS)) == ()
    kept = list(world.pods)
    assert len(kept) == 6
    assert kept[0]["spec"]["nodeName"] == "node-a"
    assert not any("managedFields" in each["metadata"] or "volumes" in each["spec"] for each in kept)


def test_the_watches_begin_with_lists_of_pages_too() -> None:
    settings = watch_settings()
    assert settings.watching.chunk_size == PAGE
    assert settings.queueing.idle_timeout < 1, "kopf holds each object for so long"
