"""What does a scrape of a real keeper say, with a real Litestream behind it?"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from keeper_pod import ON_EACH_STORE, KeeperPod, Workflow, free_port, run
from prometheus_client.parser import text_string_to_metric_families as read_text
from proxied_keeper import through_proxy
from store_proxy import StoreProxy

from dormouse.replica.s3 import S3
from dormouse.replica.store import UNCHANGED, StoreConflict, StoredObject, StoreUnknown
from markdown_blocks import REPOSITORY

PAGE = REPOSITORY / "docs" / "observability.md"


@pytest.fixture
def workflow(request: pytest.FixtureRequest, tmp_path: Path) -> Workflow:
    return Workflow(request.getfixturevalue(getattr(request, "param", "seaweedfs")), tmp_path)


async def scrape(pod: KeeperPod) -> str:
    url = f"http://127.0.0.1:{pod.variables['DORMOUSE_PORT']}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()


Values = dict[tuple[str, ...], float]


def values_of(text: str) -> Values:
    return {(sample.name, *sample.labels.values()): sample.value for one in read_text(text) for sample in one.samples}


async def scraped(pod: KeeperPod) -> Values:
    return values_of(await scrape(pod))


def test_the_table_on_the_page_is_what_a_second_life_tells(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        first = await workflow.pod(1).open()
        first.write("note")
        await first.keeper.barrier()
        await first.terminate()
        second = await workflow.pod(2, DORMOUSE_PORT=str(free_port())).open()
        await second.keeper.barrier()
        text = await scrape(second)
        table = PAGE.read_text().partition("| metric of the keeper |")[2].partition("\n\n")
        shown = {
            name: set(re.findall(r"`(\w+)`", labels))
            for name, labels in re.findall(r"^\| `(dormouse_\w+)` \|([^|]*)\|", table[0], re.MULTILINE)
        }
        found: dict[str, set[str]] = {}
        for family in read_text(text):
            if family.name.startswith("dormouse_"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert found == shown
        of_litestream = set(re.findall(r"`(litestream_\w+)`", table[2].partition("##")[0]))
        assert of_litestream
        assert of_litestream <= set(re.findall(r"^(litestream_\w+)", text, re.MULTILINE))
        steps = set(re.findall(r'step="([^"]+)"', text))
        (told,) = re.findall(r"^\| `dormouse_keeper_step_seconds` .*: (.*) \|$", table[0], re.MULTILINE)
        assert steps == set(re.findall(r"`([^`]+)`", told))
        values = values_of(text)
        assert values["dormouse_keeper_epoch",] == 2
        assert values["dormouse_keeper_ready",] == values["dormouse_keeper_store_keeps_up",] == 1
        assert values["dormouse_keeper_restored_bytes",] == second.database.stat().st_size
        assert values["dormouse_keeper_barrier_seconds_count",] >= 1
        assert values["dormouse_keeper_store_requests_total", "put", "answered"] >= 3  # the probe, the claim, the pin
        assert values["litestream_replica_operation_total", "PUT", "s3"] >= 1

    run(story, workflow)


def test_a_commit_that_waits_for_the_store_is_seen_as_lag(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        pod = await workflow.pod(1, DORMOUSE_PORT=str(free_port())).open()
        await pod.keeper.barrier()
        before = await scraped(pod)
        assert before["dormouse_keeper_lag_seconds",] == 0
        proxy.go_down()
        pod.write("while the store is down")
        barrier = asyncio.create_task(pod.keeper.barrier())
        async with asyncio.timeout(60):
            while not (await scraped(pod))["dormouse_keeper_lag_seconds",]:
                await asyncio.sleep(0.02)
            while (await scraped(pod))["dormouse_keeper_store_keeps_up",]:
                await asyncio.sleep(0.2)
        assert (await scraped(pod))["dormouse_keeper_ready",] == 0
        proxy.down = False
        await asyncio.wait_for(barrier, 60)
        after = await scraped(pod)
        assert after["dormouse_keeper_lag_seconds",] == 0
        assert after["dormouse_keeper_store_keeps_up",] == 1
        assert after["dormouse_keeper_store_requests_total", "get", "failed"] > 0  # of CURRENT, which it watches

    through_proxy(story, workflow)


def test_a_litestream_that_was_killed_is_asked_at_its_new_place(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        pod = await workflow.pod(1, DORMOUSE_PORT=str(free_port())).open()
        await pod.keeper.barrier()
        lock = pod.volume / "run" / "litestream.lock"
        old = lock.read_text()
        os.kill(int(old), signal.SIGKILL)
        async with asyncio.timeout(60):
            while lock.read_text() == old or not any("litestream_" in name for name, *_ in await scraped(pod)):
                await asyncio.sleep(0.02)

    run(story, workflow)


@ON_EACH_STORE
def test_each_request_of_the_store_s_client_is_counted_once(workflow: Workflow) -> None:
    async def story(workflow: Workflow) -> None:
        store = workflow.store
        key = f"{workflow.layout.root}/note"
        etag = await store.put(key, b"12345", None)
        with pytest.raises(StoreConflict):
            await store.put(key, b"123456", None)
        assert isinstance(await store.get(key), StoredObject)
        assert await store.get(key, etag) is UNCHANGED
        assert await store.get(f"{key}-none") is None
        assert await store.part(key, 1, 2) == b"23"
        assert await store.size(key) == 5
        assert [one async for one in store.keys(workflow.layout.root)] == [key]
        assert [one async for one in store.keys(f"{workflow.layout.root}-none")] == []
        await store.delete(key)
        assert {of: count for of, count in store.requests.counts.items() if count} == {
            ("put", "answered"): 2, ("get", "answered"): 4, ("head", "answered"): 1,
            ("list", "answered"): 2, ("delete", "answered"): 1,
        }  # fmt: skip
        assert store.requests.bytes == {"put": 11, "get": 7}

    run(story, workflow)


def test_a_store_that_does_not_answer_is_counted_as_failing(workflow: Workflow) -> None:
    async def story(workflow: Workflow, proxy: StoreProxy) -> None:
        proxy.down = True
        store = S3(replace(workflow.location, endpoint=proxy.endpoint))
        for asked in (store.get("key"), store.put("key", b"", None), store.size("key"), _all(store.keys("prefix"))):
            with pytest.raises(StoreUnknown):
                await asked
        failed = {operation for (operation, outcome), count in store.requests.counts.items() if count}
        assert failed == {"get", "put", "head", "list"}
        assert {outcome for (_, outcome), count in store.requests.counts.items() if count} == {"failed"}

    through_proxy(story, workflow)


async def _all(keys: AsyncIterator[str]) -> list[str]:
    return [key async for key in keys]
