"""What becomes of a workflow whose pod or status somebody edits by hand?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from operator_api_documents import Document
from operator_fleet import Fleet, Tell, telling

from dormouse.replica.current import SealReason
from dormouse_operator.dev.seaweedfs import SeaweedFS


@pytest.fixture
def tell(seaweedfs: SeaweedFS, request: pytest.FixtureRequest) -> Tell:
    return telling(seaweedfs, request.node.name)


def without_label(document: Document) -> None:
    del document["metadata"]["labels"]["app.kubernetes.io/managed-by"]


def without_labels(document: Document) -> None:
    document["metadata"]["labels"] = {}


def with_another_epoch(document: Document) -> None:
    document["metadata"]["labels"]["dormouse.dev/epoch"] = "99"


def without_name_label(document: Document) -> None:
    del document["metadata"]["labels"]["dormouse.dev/name"]


def without_owner(document: Document) -> None:
    """As `kubectl delete --cascade=orphan` does."""
    document["metadata"]["ownerReferences"] = []


class AtMostOne:
    """Looks at each write whether two pods live at once, whatever their labels are."""

    def __init__(self, made: Fleet) -> None:
        self.most = 0
        self._made = made

    def look(self) -> bool:
        self.most = max(self.most, len(self._made.live_pods()))
        return False


async def looking(made: Fleet, story: Callable[[], Any]) -> int:
    """How many lived at once, at most."""
    watch = AtMostOne(made)
    task = asyncio.create_task(made.server.until(watch.look))
    try:
        await story()
    finally:
        task.cancel()
    return watch.most


@pytest.mark.parametrize("edit", [without_label, without_labels])
def test_a_pod_that_the_watches_lost_ends_before_the_next_begins(
    tell: Tell, edit: Callable[[Document], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dormouse_operator.plan.deciding.READ_AGAIN_SECONDS", 0.2)

    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=0.5):
            await made.running()

            async def edited() -> None:
                await made.server.change("pods", "report-e1", edit)
                await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
                await made.server.lists(2)
                assert made.server.names("pods") == ["report-e1"]
                assert made.condition("Ready")["reason"] in ("PodEdited", "PodStopping")
                await made.seal_and_end("report-e1")
                await made.runs("report-e2")
                await made.phase("Running")

            assert await looking(made, edited) == 1
            assert made.status().get("failures", 0) == 0

    tell(story)


def test_one_that_lost_its_label_while_no_operator_looked_is_found_all_the_same(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await made.running()
        await made.server.change("pods", "report-e1", without_labels)
        async with made.operator("second"):
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
        assert made.live_pods() == ["report-e1"]

    tell(story)


def test_a_label_that_comes_back_is_seen_again(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await made.running()
            whole = made.server.get("pods", "report-e1")["metadata"]["labels"]
            (operator,) = made.operators
            # Both at once, as far as the watch can tell.
            await made.server.change("pods", "report-e1", without_labels)
            await made.server.change("pods", "report-e1", lambda pod: pod["metadata"].update(labels=whole))
            version = made.server.get("pods", "report-e1")["metadata"]["resourceVersion"]

            def knows() -> bool:
                known = operator.world.pods.get(("team", "report-e1"))
                return known is not None and int(known["metadata"]["resourceVersion"]) >= int(version)

            async with asyncio.timeout(30):
                while not knows():
                    await asyncio.sleep(0.05)

    tell(story)


@pytest.mark.parametrize("edit", [with_another_epoch, without_name_label, without_owner])
def test_other_edits_of_a_pod_disturb_nothing(tell: Tell, edit: Callable[[Document], None]) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator(relist_seconds=0.3):
            await made.running()
            before = made.status()
            await made.server.change("pods", "report-e1", edit)
            await made.server.lists(3)
            await made.calm()
            assert (made.live_pods(), made.status()) == (["report-e1"], before)
            # It is still watched: its end is noticed.
            await made.seal(SealReason.COMPLETED)
            await made.tell("report-e1", "Succeeded", said={"reason": "Completed"})
            await made.phase("Completed")

    tell(story)


def test_deleted_with_its_pods_orphaned_it_still_waits_for_them_before_its_data_is_released(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.server.change("pods", "report-e1", without_owner)
            await made.server.delete("durableworkflows", "report")
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            assert (await made.read_current()).state == "Active"
            await made.seal_and_end("report-e1")
            await made.gone()
            assert (await made.read_current()).state == "Released"

    tell(story)


def test_without_its_annotations_it_is_replaced_once_and_through_a_seal(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            await made.server.change("pods", "report-e1", lambda pod: pod["metadata"].pop("annotations"))
            await made.server.until(lambda: "deletionTimestamp" in made.server.get("pods", "report-e1")["metadata"])
            await made.seal_and_end("report-e1")
            await made.runs("report-e2")
            await made.phase("Running")
            await made.calm()
            assert made.live_pods() == ["report-e2"]

    tell(story)


def completed(document: Document) -> None:
    conditions = [each for each in document["status"]["conditions"] if each["type"] != "Completed"]
    told = {"type": "Completed", "status": "True", "reason": "Succeeded", "message": "", "observedGeneration": 1}
    document["status"]["conditions"] = [*conditions, {**told, "lastTransitionTime": "2026-03-01T12:00:00Z"}]
    document["status"]["phase"] = "Completed"


FORGED: dict[str, Callable[[Document], Any]] = {
    "wiped": lambda document: document.pop("status"),
    "epoch low": lambda document: document["status"].update(epoch=0, claimed=False, podName=""),
    "phase": lambda document: document["status"].update(phase="Completed"),
    "completed": completed,
}


@pytest.mark.parametrize("edit", FORGED.values(), ids=list(FORGED))
@pytest.mark.parametrize("has_pod", [True, False], ids=["running", "resting"])
def test_a_status_that_was_edited_is_put_right(tell: Tell, edit: Callable[[Document], Any], has_pod: bool) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await made.running()
        if not has_pod:
            await made.seal(SealReason.STOPPED)
            await made.server.remove("pods", "report-e1")
        await made.server.change("durableworkflows", "report", edit)
        newest = "report-e1" if has_pod else "report-e2"
        async with made.operator("second"):
            if not has_pod:
                await made.runs(newest)
            await made.server.until(lambda: made.status().get("podName") == newest)
            await made.phase("Running")
            await made.calm()
            assert made.live_pods() == [newest]
            assert made.condition("Completed")["status"] == "False"
            assert made.status()["claimed"]

    tell(story)


def test_with_its_status_wiped_it_does_not_leave_its_data_behind(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator("first"):
            await made.running()
        await made.seal(SealReason.STOPPED)
        await made.server.remove("pods", "report-e1")
        await made.server.change("durableworkflows", "report", lambda document: document.pop("status"))
        await made.server.delete("durableworkflows", "report")
        async with made.operator("second"):
            await made.gone()
        assert (await made.read_current()).state == "Released"

    tell(story)


def with_another_source(document: Document) -> None:
    document["data"] = dict.fromkeys(document["data"], "raise SystemExit('not this')")


def test_a_source_that_was_changed_or_taken_away_is_put_right_before_the_next_life(tell: Tell) -> None:
    async def story(made: Fleet) -> None:
        async with made.operator():
            await made.running()
            right, name = made.source()["data"], made.source()["metadata"]["name"]
            await made.server.change("configmaps", name, with_another_source)
            await made.server.remove("pods", "report-e1")
            await made.runs("report-e2")
            assert made.source()["data"] == right
            await made.server.remove("configmaps", name)
            await made.server.remove("pods", "report-e2")
            await made.runs("report-e3")
            assert made.source()["data"] == right

    tell(story)
