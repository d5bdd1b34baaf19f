"""Does a deleted workflow go in the right order, and its data only when that was asked for?"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from operator_fleet import Fleet, Tell, telling
from store_proxy import StoreProxy, writes_of

from dormouse.replica.current import SealReason, State
from dormouse_operator.dev.seaweedfs import SeaweedFS
from dormouse_operator.plan import ABANDON_ANNOTATION


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


async def delete(made: Fleet) -> None:
    """The workflow is deleted; its pod seals and ends."""
    await made.server.delete("durableworkflows", "report")
    await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
    assert (await made.read_current()).state is State.ACTIVE
    await made.seal(SealReason.STOPPED)
    await made.server.remove("pods", "report-e1")


async def keys(made: Fleet) -> list[str]:
    return [key async for key in made.store.keys(made.layout.root)]


def test_retained_data_is_released_once_the_pod_has_sealed(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.store.put(f"{made.layout.epochs}00000001-abc/0000/1.ltx", b"data", None)
            await delete(made)
            await made.gone()
        current = await made.read_current()
        assert (current.state, len(current.lineage)) == (State.RELEASED, 1)
        assert len(await keys(made)) == 2

    tell(story)


def test_deleted_data_leaves_a_tombstone_and_the_name_goes_on_above_it(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.apply(deletionPolicy="Delete")
            for number in range(40):
                await made.store.put(f"{made.layout.epochs}00000001-abc/0000/{number}.ltx", b"data", None)
            await delete(made)
            await made.gone()
            current = await made.read_current()
            assert (current.state, current.epoch, current.lineage) == (State.RELEASED, 1, ())
            assert await keys(made) == [made.layout.current]

    tell(story)


def test_a_deleted_namespace_that_takes_the_secret_away_first_still_ends_well(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.server.remove("objectstores", "local")
            await made.server.remove("secrets", "local")
            await delete(made)
            await made.gone()
        assert (await made.read_current()).state is State.RELEASED

    tell(story)


def test_data_that_cannot_be_reached_holds_the_object_until_it_is_abandoned(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await made.running()
        await made.server.remove("secrets", "local")
        async with made.operator("second"):
            await delete(made)
            await made.phase("Stalled")
            assert made.condition("Ready")["reason"] == "SecretNotFound"

            def abandon(document: dict[str, dict[str, dict[str, str]]]) -> None:
                document["metadata"]["annotations"] = {ABANDON_ANNOTATION: "true"}

            await made.server.change("durableworkflows", "report", abandon)
            await made.gone()
            await made.server.until(lambda: "DataAbandoned" in made.reasons())

    tell(story)


def test_an_operator_that_dies_while_data_is_removed_is_followed_by_one_that_goes_on(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await made.running()
            await made.apply(deletionPolicy="Delete")
            await made.calm()
        current = await made.read_current()
        await made.write_current(current.next("half-way", state=State.DELETING))
        await made.server.remove("pods", "report-e1")
        await made.server.delete("durableworkflows", "report")
        async with made.operator("second"):
            await made.gone()
        assert (await made.read_current()).lineage == ()

    tell(story)


def test_a_store_that_takes_no_writes_is_told_once_however_often_it_is_tried(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse_operator.plan.deletion.READ_AGAIN_SECONDS", 0.1)

    async def story(made: Fleet) -> None:
        async with StoreProxy(urlsplit(made.s3_server.endpoint).port or 80).serving() as proxy, made.operator():
            await made.apply_store(endpoint=proxy.endpoint)
            await made.apply()
            await made.runs("report-e1")
            await made.phase("Running")
            proxy.fail = writes_of("CURRENT")
            await delete(made)
            await made.server.until(lambda: ABANDON_ANNOTATION in made.condition("Ready")["message"])
            told, tries = len(made.server.requests), proxy.failed
            async with asyncio.timeout(60):
                while proxy.failed < tries + 3:
                    await asyncio.sleep(0.05)
            assert [each for each in made.server.requests[told:] if each.endswith("report/status")] == []
            proxy.fail = None
            await made.gone()
        assert (await made.read_current()).state is State.RELEASED

    tell(story)


def test_a_completed_workflow_goes_after_its_time_and_its_data_is_released(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.apply(ttlSecondsAfterFinished=1)
            await made.seal(SealReason.COMPLETED)
            await made.tell("report-e1", "Succeeded", said={"reason": "Completed", "result": "succeeded"})
            await made.gone()
        assert (await made.read_current()).state is State.RELEASED
        assert "Expired" in made.reasons()

    tell(story)


def test_one_whose_time_is_taken_back_at_the_last_moment_stays(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        taken_back = asyncio.Event()

        async def take_back(request: web.Request) -> None:
            if request.method == "DELETE" and request.path.endswith("durableworkflows/report"):
                await made.server.change(
                    "durableworkflows", "report", lambda one: one["spec"].pop("ttlSecondsAfterFinished")
                )
                taken_back.set()

        async with made.operator():
            await made.running()
            await made.apply(ttlSecondsAfterFinished=0)
            with made.server.fault(take_back):
                await made.seal(SealReason.COMPLETED)
                await made.tell("report-e1", "Succeeded", said={"reason": "Completed", "result": "succeeded"})
                await taken_back.wait()
            await made.calm()
            assert "deletionTimestamp" not in made.source()["metadata"]

    tell(story)
