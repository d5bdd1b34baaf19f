"""Does a store that hangs hold up only what needs it? A real server that accepts connections and never answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11
import pytest
from operator_fleet import Fleet, Tell, named, telling
from store_proxy import StoreProxy, reads_of

from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.plan import FINALIZER

STUCK = tuple(f"stuck-{number}" for number in range(20))


@dataclass
class HungStore:
    """Whoever connects waits until he gives up."""

    endpoint: str = ""
    waiting: set[asyncio.StreamWriter] = field(default_factory=set)
    most_at_once: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[HungStore]:
        server = await asyncio.start_server(self._keep_waiting, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await asyncio.sleep(0.05)  # a connection that was just taken is among them then
            for writer in list(self.waiting):
                writer.close()

    async def is_asked(self, by: int) -> None:
        """Until so many wait at the same time."""
        async with asyncio.timeout(60):
            while len(self.waiting) < by:
                await asyncio.sleep(0.01)

    async def _keep_waiting(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.waiting.add(writer)
        self.most_at_once = max(self.most_at_once, len(self.waiting))
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            return
        finally:
            self.waiting.discard(writer)
            writer.close()


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


async def put_stuck_workflows(made: Fleet, endpoint: str) -> None:
    """Each lost its pod while the store hangs, which was good before."""
    await made.apply_store("hung", endpoint=endpoint)

    def prove(store: dict[str, object]) -> None:
        proven = {"status": "True", "reason": "Proven", "lastTransitionTime": "2026-03-01T12:00:00Z"}
        store["status"] = {"conditions": [{"type": kind, **proven} for kind in ("ConditionalWrites", "InUse")]}

    await made.server.change("objectstores", "hung", prove)
    for name in STUCK:
        document = named("DurableWorkflow", name)
        document["metadata"]["finalizers"] = [FINALIZER]
        spec = {"source": {"inline": "pass\n"}, "storage": {"storeRef": {"name": "hung"}}}
        await made.server.put("durableworkflows", {**document, "spec": spec, "status": {"epoch": 1, "claimed": True}})


def test_a_store_that_hangs_holds_up_no_workflow_of_another_store(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with HungStore().serving() as hung:
            await put_stuck_workflows(made, hung.endpoint)
            async with made.operator(workers=2):
                await hung.is_asked(by=2)
                await made.running()
                await made.server.delete("durableworkflows", "report")
                await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
                await made.server.remove("pods", "report-e1")
                await made.gone()
                assert hung.waiting
            assert hung.most_at_once <= 9  # eight steps of workflows, and one request of the probe

    tell(story)


def test_every_workflow_of_a_store_that_hangs_says_so_however_many_wait(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse_operator.controller.asking._READING_SECONDS", 0.5)

    async def story(made: Fleet) -> None:
        async with HungStore().serving() as hung:
            await put_stuck_workflows(made, hung.endpoint)
            async with made.operator(workers=2):
                for name in STUCK:
                    await made.server.until(
                        lambda name=name: made.condition("Ready", name).get("reason") == "StoreUnreachable"  # type: ignore[misc]
                    )
                assert "no answer within 0.5 s" in made.condition("Ready", STUCK[-1])["message"]

    tell(story)


def test_a_store_that_fails_in_other_words_each_time_is_not_asked_without_a_pause(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with StoreProxy(urlsplit(made.s3_server.endpoint).port or 80).serving() as proxy:
            fails = reads_of("CURRENT")

            def fail(request: h11.Request) -> bool:
                proxy.body = (
                    f"<Error><Code>SlowDown</Code><Message>{proxy.failed} before you</Message></Error>".encode()
                )
                return fails(request)

            proxy.fail = fail
            async with made.operator(relist_seconds=0.2):
                await made.apply_store(endpoint=proxy.endpoint)
                await made.apply()
                await made.server.until(lambda: "report-e1" in made.server.names("pods"))
                await made.server.remove("pods", "report-e1")
                await made.server.until(lambda: made.condition("Ready").get("reason") == "StoreUnreachable")
                before = proxy.failed
                await made.server.lists(5)
                assert proxy.failed - before <= 2

    tell(story)
