"""What becomes of a name that is used again? Refused or adopted after Retain, new after Delete, by a real store."""

from __future__ import annotations

import pytest
from operator_fleet import Fleet, Tell, telling

from dormouse.replica.current import SealReason, State
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


async def lived(made: Fleet, deletion_policy: str) -> str:
    """A workflow that ran, was stopped, and is deleted; its UID."""
    await made.apply_store()
    await made.apply(deletionPolicy=deletion_policy)
    await made.runs("report-e1")
    await made.phase("Running")
    uid = str(made.server.get("durableworkflows", "report")["metadata"]["uid"])
    await made.server.delete("durableworkflows", "report")
    await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
    await made.seal(SealReason.STOPPED)
    await made.server.remove("pods", "report-e1")
    await made.gone()
    return uid


def test_a_name_used_again_after_retain_is_refused_until_it_may_adopt(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            before = await lived(made, "Retain")
            await made.apply()
            await made.is_refused("report-e1")
            await made.phase("Stalled")
            assert made.condition("Stalled")["reason"] == "NameTaken"
            for way_out in ("adoptionPolicy: Released", "another name", "deletionPolicy: Delete"):
                assert way_out in made.condition("Stalled")["message"]

            await made.apply(adoptionPolicy="Released")
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            await made.server.until(lambda: made.status().get("adoptedFrom") == {"uid": before, "epoch": 1})
            assert made.status()["restoredFrom"] == "1/17"
            assert (await made.read_current()).identity == before
            await made.server.until(lambda: "Adopted" in made.reasons())

    tell(story)


def test_who_may_adopt_from_the_start_needs_no_second_pod(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await lived(made, "Retain")
            await made.apply(adoptionPolicy="Released")
            await made.runs("report-e2")
            await made.phase("Running")
            pods = [each for each in made.server.requests if each == "POST /api/v1/namespaces/team/pods"]
            assert len(pods) == 2

    tell(story)


def test_a_name_used_again_after_delete_is_new_and_goes_on_above_the_tombstone(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await lived(made, "Delete")
            tombstone = await made.read_current()
            assert (tombstone.state, tombstone.lineage) == (State.RELEASED, ())
            await made.apply()
            await made.is_refused("report-e1")
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            await made.phase("Running")
            current = await made.read_current()
            uid = made.server.get("durableworkflows", "report")["metadata"]["uid"]
            assert (current.epoch, current.identity, current.adopted_from) == (2, uid, ())
            assert "adoptedFrom" not in made.status()

    tell(story)


def test_data_that_was_adopted_and_not_yet_restored_is_released_with_the_new_object(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await lived(made, "Retain")
            await made.apply(adoptionPolicy="Released")
            await made.server.until(lambda: "report-e2" in made.server.names("pods"))
            await made.calm()
            await made.claim("report-e2")
            heir = made.server.get("durableworkflows", "report")["metadata"]["uid"]
            await made.server.delete("durableworkflows", "report")
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e2")["metadata"])
            await made.server.remove("pods", "report-e2")
            await made.gone()
        current = await made.read_current()
        assert (current.state, current.workflow_uid, current.epoch) == (State.RELEASED, heir, 2)

    tell(story)
